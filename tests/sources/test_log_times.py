"""Where in a log the window begins, by the times of its lines."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_memory import Memory, value

from agent.model import LogPattern, Place
from agent.sources import log_times
from agent.sources.log_open import closing_log
from agent.sources.log_times import since, time_in
from agent.sources.logs import LogTail

ANY = LogPattern("any", "*", r".", "Lines", Place("logs.yml", 1, 1))
HOUR_MS = 3_600_000
NOW_MS = 1_790_000_000_000


def stamped(at_ms: int) -> str:
    """As Kafka writes it."""
    return datetime.fromtimestamp(at_ms / 1000).strftime("[%Y-%m-%d %H:%M:%S,000]")  # noqa: DTZ006 it names none


def begin_of(path: Path, text: bytes, offset: int, oldest_ms: int, written_ms: int = NOW_MS) -> int:
    path.write_bytes(text)
    os.utime(path, ns=(written_ms * 1_000_000,) * 2)
    with closing_log(path) as file:
        assert file is not None
        return since(file, offset, oldest_ms)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 7200), st.integers(0, 300), st.integers(0, 3)), min_size=1, max_size=60
    ),
    st.integers(0, 48 * 3600),
    st.integers(-12, 14),
    st.integers(0, 5),
)
def test_the_lines_that_are_no_older_are_left(
    steps: list[tuple[int, int, int]], age_s: int, zone_hours: int, skip: int
) -> None:
    """With stack traces between them, in whatever zone the broker is, from whichever line on."""
    at, lines = 0, list[tuple[int, bytes]]()
    for step, length, traces in steps:
        at += step
        lines.append((at, b"x" * length + b"\n" + b"\tat java.lang.Thread\n" * traces))
    shift = NOW_MS - at * 1000 + zone_hours * HOUR_MS
    texts = [stamped(at * 1000 + shift).encode() + rest for at, rest in lines]
    offset = sum(map(len, texts[: min(skip, len(texts) - 1)]))
    oldest = NOW_MS - age_s * 1000
    wanted = next(
        n for n, (each, _) in enumerate(lines) if (each - at) * 1000 + NOW_MS >= oldest or each == at
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_times, "_PIECE", 1024)
        found = begin_of(Path(folder, "server.log"), b"".join(texts), offset, min(oldest, NOW_MS))
    assert found == max(offset, sum(map(len, texts[:wanted])))


@pytest.mark.parametrize(
    "text",
    [
        "no times\nat all\n",
        f"{stamped(NOW_MS - 9 * HOUR_MS)} old\n" + "x" * (2 << 20) + "\n",
        f"{stamped(NOW_MS - 9 * HOUR_MS)} old\n{stamped(NOW_MS + 99 * HOUR_MS)} of a time to come\n",
        "[2026-02-31 10:00:00,123] never\n",
    ],
    ids=["none", "none for long", "to come", "no date"],
)
def test_what_times_do_not_tell_is_read(tmp_path: Path, text: str) -> None:
    """As from the beginning."""
    assert begin_of(tmp_path / "server.log", text.encode(), 0, NOW_MS - 2 * HOUR_MS) == 0


def test_a_file_that_was_touched_has_lines_no_older_than_its_last_one(tmp_path: Path) -> None:
    """When that was written nobody knows."""
    text = f"{stamped(NOW_MS - 9 * HOUR_MS)} a\n{stamped(NOW_MS - 8 * HOUR_MS)} b\n"
    assert begin_of(tmp_path / "server.log", text.encode(), 0, NOW_MS - 2 * HOUR_MS) == 0


def test_times_with_a_zone_are_of_that() -> None:
    """As the JVM's GC log has them."""
    assert time_in(b"2026-08-01T10:00:00.123+0200") == time_in(b"2026-08-01T08:00:00.123Z")
    assert time_in(b"2026-02-31 10:00:00") is None


def test_the_years_at_both_ends_are_no_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a date that was never set: west of it is no year at all."""
    for zone in ("UTC", "Etc/GMT+12", "Etc/GMT-14"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        for first in ("0001-01-01 00:00:00,000", "9999-12-31 23:59:59,999"):
            text = f"[{first}] a\n{stamped(NOW_MS)} b\n[{first}] c\n"
            assert begin_of(tmp_path / "server.log", text.encode(), 0, NOW_MS - 2 * HOUR_MS) == 0
    monkeypatch.undo()
    time.tzset()


async def test_of_a_live_file_the_lines_of_days_without_the_agent_are_skipped_and_counted(
    tmp_path: Path,
) -> None:
    """But for those within the window; they would be an increase of now."""
    log, memory, now = tmp_path / "server.log", Memory(), int(time.time() * 1000)
    log.touch()
    every = [f"{stamped(now - hours * HOUR_MS)} a line\n" for hours in range(72, -1, -1)]

    def start() -> LogTail:
        return LogTail([str(log)], [ANY], memory, 1000, window_ms=2 * HOUR_MS + 60_000)

    tail = start()
    await tail.read(now)
    tail.close()
    log.write_text("".join(every))
    for _ in range(2):
        tail = start()
        samples = await tail.read(now)
        tail.close()
        assert value(samples, "log_any_total") == 3
        assert value(samples, "ottla_log_skipped_bytes_total") == len("".join(every[:-3]))
