"""Log files as history: counted at the times of their lines, as the agent would have counted them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from held import plain

from agent.model import LogPattern, Place
from agent.promql import compile, evaluate  # noqa: A004  the engine's words
from agent.recording.limits import Allowance, BadHistory
from agent.recording.log_history import LogHistory

FAILED = LogPattern("failed", "server.log", r"dir (?P<path>\S+) failed", "", Place("logs.yml", 1, 1))
NOON = int(datetime(2026, 8, 1, 12, tzinfo=UTC).timestamp()) * 1000
LINES = """\
[2026-08-01 12:00:00,000] INFO started (kafka.server.KafkaRaftServer)
[2026-08-01 12:00:20,500] ERROR dir /d1 failed (x)
java.io.IOException: dir /d1 failed
    at x.y(Z.java:1)
[2026-08-01 12:00:40,000] ERROR dir /d2 failed (x)
[2026-08-01 12:01:00,000] INFO end
"""


def history(tmp_path: Path, text: str = LINES, name: str = "server.log") -> LogHistory:
    """One file, searched."""
    found = LogHistory([FAILED], UTC, Allowance())
    (tmp_path / name).write_text(text)
    found.read(tmp_path / name)
    return found


def test_each_line_counts_at_its_time(tmp_path: Path) -> None:
    """A stack trace's lines at that of the line before; a new series begins with 0 one interval earlier."""
    counters = plain(history(tmp_path).counters(None, 10_000))
    assert counters["log_failed_total", (("path", "/d1"),)] == [
        (NOON + 20_000, "0.0"),
        *((NOON + n * 10_000, "2.0") for n in range(3, 7)),
    ]
    assert counters["log_failed_total", (("path", "/d2"),)][:2] == [
        (NOON + 30_000, "0.0"),
        (NOON + 40_000, "1.0"),
    ]
    assert [value for _, value in counters["log_failed_total", ()]] == ["0.0"] * 7


def test_increase_sees_the_first_line(tmp_path: Path) -> None:
    """As it does live."""
    recorded = history(tmp_path).counters(None, 10_000)
    (point,) = evaluate(compile('increase(log_failed_total{path="/d1"}[1m]) > 0'), recorded, NOON + 60_000)
    assert point.value > 1.9


def test_a_quiet_log_counts_on(tmp_path: Path) -> None:
    """Until the end of the history around it: nothing was written, so nothing happened."""
    counters = plain(history(tmp_path).counters(NOON + 600_000, 10_000))
    assert counters["log_failed_total", (("path", "/d1"),)][-1] == (NOON + 600_000, "2.0")


@pytest.mark.parametrize(
    "name", ["server.log", "server.log.2026-08-01-12", "server.log.1", "server.log-20260801"]
)
def test_rotated_files_are_the_same_log(tmp_path: Path, name: str) -> None:
    """By what they were called before."""
    assert history(tmp_path, name=name).found.lines == 3


def test_packed_files_and_several(tmp_path: Path) -> None:
    """In any order of time."""
    found = history(tmp_path)
    older = tmp_path / "server.log.2026-08-01-11.gz"
    older.write_bytes(gzip.compress(b"[2026-08-01 11:59:50,000] ERROR dir /d1 failed (x)\n"))
    found.read(older)
    counters = plain(found.counters(None, 10_000))
    assert [value for _, value in counters["log_failed_total", (("path", "/d1"),)]][:5] == [
        "0.0",
        "1.0",
        "1.0",
        "1.0",
        "1.0",
    ]


@pytest.mark.parametrize(
    ("written", "zone", "noon"),
    [
        ("[2026-08-01 12:00:00,000]", UTC, NOON),
        ("[2026-08-01 12:00:00,000]", ZoneInfo("Europe/Berlin"), NOON - 7_200_000),
        ("[2026-08-01T14:00:00.000+0200]", UTC, NOON),
        ("2026-08-01T12:00:00Z", ZoneInfo("Europe/Berlin"), NOON),
        ("2026-08-01 12:00:00", UTC, NOON),
    ],
)
def test_times_and_zones(tmp_path: Path, written: str, zone: ZoneInfo, noon: int) -> None:
    """A zone that the line names is right; else the one that was said."""
    found = LogHistory([FAILED], zone, Allowance())
    (tmp_path / "server.log").write_text(f"{written} dir /d1 failed\n")
    found.read(tmp_path / "server.log")
    assert found.found.hits == {("log_failed_total", (("path", "/d1"),)): [noon]}


def test_a_line_without_a_time_before_it_is_counted_apart(tmp_path: Path) -> None:
    """The file was cut there; when it was written nobody can say."""
    found = history(tmp_path, "dir /d1 failed\n" + LINES)
    assert (found.found.lines, found.found.untimed) == (4, 1)


def test_what_cannot_be_history_is_said(tmp_path: Path) -> None:
    """No times; no pattern; no file."""
    with pytest.raises(BadHistory, match="no line that begins with a time"):
        history(tmp_path, "dir /d1 failed\n")
    with pytest.raises(
        BadHistory, match=r"no pattern of the rules is for other.log: they look at server.log"
    ):
        history(tmp_path, LINES, "other.log")
    with pytest.raises(BadHistory, match="cannot be read"):
        LogHistory([FAILED], UTC, Allowance()).read(tmp_path / "no" / "server.log")


def test_labels_beyond_the_limit_count_without_labels(tmp_path: Path) -> None:
    """A hundred series a pattern, as live."""
    lines = [f"[2026-08-01 12:00:{n // 10:02d},{n % 10}00] dir /d{n} failed\n" for n in range(150)]
    counters = plain(history(tmp_path, "".join(lines)).counters(None, 10_000))
    assert len(counters) == 101
    assert counters["log_failed_total", ()][-1][1] == "50.0"


def test_numbers_count_and_set_as_they_would_have_live(tmp_path: Path) -> None:
    """A sum begins with 0 one interval earlier, a gauge with its line; dropped labels keep their sum."""
    place = Place("logs.yml", 1, 1)
    patterns = [
        LogPattern("slow", "*", r"(?P<event>\w+) took (?P<ms>\d+)", "", place, counts="ms", max_series=1),
        LogPattern("left", "*", r"(?P<n>\d+) left", "", place, sets="n"),
    ]
    (tmp_path / "server.log").write_text(
        "[2026-08-01 12:00:00,000] INFO a took 5\n"
        "[2026-08-01 12:00:05,000] INFO 9 left\n"
        "[2026-08-01 12:00:15,000] INFO a took 7\n"
        "[2026-08-01 12:00:15,000] INFO b took 1\n"
        "[2026-08-01 12:00:16,000] INFO 4 left\n"
    )
    found = LogHistory(patterns, UTC, Allowance())
    found.read(tmp_path / "server.log")
    series = plain(found.counters(None, 10_000))

    assert series["log_slow_ms_total", (("event", "a"),)] == [
        (NOON - 10_000, "0.0"),
        (NOON, "5.0"),
        (NOON + 10_000, "5.0"),
        (NOON + 20_000, "12.0"),
    ]
    assert series["log_slow_ms_total", ()] == [(NOON + 10_000, "0.0"), (NOON + 20_000, "1.0")]
    assert series["log_left", ()] == [(NOON + 10_000, "9.0"), (NOON + 20_000, "4.0")]
