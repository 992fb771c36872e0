"""The lines behind the series: which are kept, with what follows them, and never too many."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from log_lines import LINES

from agent.model import LogPattern, Place
from agent.sources import log_evidence, log_scan_re2, log_scan_texts
from agent.sources.log_counters import Counters
from agent.sources.log_evidence import Evidence
from agent.sources.log_patterns import Scanner

FAILED = LogPattern("failed", "*", r"dir (?P<path>\S+) failed", "", Place("logs.yml", 1, 1))
METRIC = "log_failed_total"


class Log:
    """One file, written chunk by chunk."""

    def __init__(self, pattern: LogPattern = FAILED) -> None:
        self.evidence = Evidence()
        self._scanner, self._counters = Scanner([pattern]), Counters([pattern], {})

    def write(self, text: str | bytes, path: str = "/logs/server.log") -> Log:
        data = text.encode() if isinstance(text, str) else text
        self._scanner.count(data, self._counters, self.evidence, path)
        return self

    def shown(self) -> list[dict[str, Any]]:
        return self.evidence.of({METRIC})

    def texts(self) -> list[list[str]]:
        return [line["text"] for line in self.shown()]


def test_a_line_is_kept_with_its_stack_trace() -> None:
    """Exceptions by their class, indented lines, causes; up to the next record."""
    log = Log().write(
        "[1] ERROR dir /d1 failed (x)\n"
        "java.io.IOException: No space left on device\n"
        "\tat x.Y.z(Y.java:1)\n"
        "Caused by: java.lang.Error\n"
        "\t... 3 more\n"
        "[2] INFO fine\n"
    )
    assert log.shown() == [
        {
            "metric": METRIC,
            "labels": {"path": "/d1"},
            "file": "/logs/server.log",
            "text": [
                "[1] ERROR dir /d1 failed (x)",
                "java.io.IOException: No space left on device",
                "    at x.Y.z(Y.java:1)",
                "Caused by: java.lang.Error",
                "    ... 3 more",
            ],
        }
    ]


def test_a_trace_goes_on_in_the_next_chunk_of_its_file() -> None:
    """And in no other file's."""
    log = Log().write("dir /d1 failed\n\tat a\n").write("\tat other\n", "/logs/b.log")
    assert log.texts() == [["dir /d1 failed", "    at a"]]
    log.write("\tat b\n[2] fine\n").write("\tat c\n")
    assert log.texts() == [["dir /d1 failed", "    at a", "    at b"]]


def test_a_trace_goes_on_over_many_chunks_as_far_as_it_is_kept() -> None:
    """Until another record begins, or what is kept of it is full, which it says then."""
    log = Log().write("dir /d1 failed\n").write("java.lang.Error: x\n").write("\tat a\n\tat b\n")
    log.write("Caused by: java.lang.Error: y\n").write("[2] fine\n").write("\tat c\n")
    assert log.texts() == [
        ["dir /d1 failed", "java.lang.Error: x", "    at a", "    at b", "Caused by: java.lang.Error: y"]
    ]

    long = Log().write("dir /d2 failed\n")
    for _ in range(1000):
        long.write("\tat 123456789\n")
    ((*lines, last),) = long.texts()
    assert last == "…"
    assert sum(map(len, lines)) > 4000
    assert set(lines[1:-1]) == {"    at 123456789"}


def test_the_last_five_of_each_series_are_kept() -> None:
    """Each series its own, whatever the others do."""
    log = Log().write("dir /d1 failed: first\n")
    for n in range(9):
        log.write(f"dir /d2 failed: {n}\n")

    assert [text for (text,) in log.texts()] == [
        "dir /d1 failed: first",
        *(f"dir /d2 failed: {n}" for n in range(4, 9)),
    ]


def test_lines_that_are_nearly_a_patterns_hide_no_line_that_is() -> None:
    """However many follow in the same chunk."""
    near = LogPattern("failed", "*", r"dir (?P<path>\S+) failed$", "", Place("logs.yml", 1, 1))
    log = Log(near).write("[1] dir /d1 failed\n" + "".join(f"[{n}] dir /d1 failed not\n" for n in range(9)))
    assert log.texts() == [["[1] dir /d1 failed"]]


def test_of_many_lines_at_once_each_series_has_one() -> None:
    """The quiet ones are not hidden by those that are loud."""
    log = Log().write("[1] dir /quiet failed\n" + "".join(f"[{n}] dir /loud failed\n" for n in range(20)))
    assert log.texts() == [["[1] dir /quiet failed"], *([f"[{n}] dir /loud failed"] for n in range(15, 20))]


def test_a_trace_stays_with_its_line_where_a_chunk_is_searched_in_halves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What begins the next chunk is not of the line that a half ended with."""
    monkeypatch.setattr(log_scan_texts, "MANY", 2)
    monkeypatch.setattr(log_scan_re2, "MANY", 2)
    row = "[1] dir /d1 failed\njava.io.IOException: full\n\tat x.Y.z(Y.java:1)\n"
    log = Log().write(row * 8 + "[2] ERROR of another").write("\njava.lang.Error: strange\n")
    assert log.texts() == [["[1] dir /d1 failed", "java.io.IOException: full", "    at x.Y.z(Y.java:1)"]] * 5


def test_a_trace_in_the_next_chunk_is_of_each_pattern_that_found_the_line() -> None:
    """Not of the last one only."""
    other = LogPattern("any", "*", r"dir \S+ ", "", Place("logs.yml", 1, 1))
    scanner, counters, evidence = Scanner([FAILED, other]), Counters([FAILED, other], {}), Evidence()
    for chunk in (b"[1] dir /d1 failed\n", b"java.lang.Error\n[2] fine\n"):
        scanner.count(chunk, counters, evidence, "f")
    shown = evidence.of({METRIC, "log_any_total"})
    assert [each["text"] for each in shown] == [["[1] dir /d1 failed", "java.lang.Error"]] * 2


def test_a_long_line_and_a_long_trace_are_cut_and_say_so() -> None:
    """At 4 KiB, within one chunk and over several."""
    for log in (
        Log().write("dir /d1 failed " + "x" * 9000 + "\n"),
        Log().write("dir /d1 failed\n" + "\tat x\n" * 2000),
        Log().write("dir /d1 failed\n").write("\tat x\n" * 2000),
    ):
        ((first, *others),) = log.texts()
        assert first.startswith("dir /d1 failed")
        assert [first, *others][-1] == "…"
        assert sum(len(line.replace("    ", "\t")) + 1 for line in (first, *others[:-1])) <= 4096 + 1


def test_a_storm_leaves_a_mebibyte_at_most() -> None:
    """The series that were quiet longest are forgotten first."""
    log = Log()
    for n in range(400):
        log.write(f"dir /d{n % 90} failed " + "x" * 9000 + "\n")
    kept = log.shown()
    assert sum(len(line["text"][0]) for line in kept) <= 1 << 20
    assert kept[-1]["labels"] == {"path": f"/d{399 % 90}"}
    assert len(kept) > 200


def test_a_trace_whose_line_was_forgotten_is_nobodys() -> None:
    """Two files with lines of one series: those of the one push out what the other's trace belongs to."""
    log = Log(LogPattern("failed", "*", "failed", "", Place("logs.yml", 1, 1)))
    for _ in range(300):
        log.write("failed in a\n", "/logs/a.log").write("failed in b\n" * 8, "/logs/b.log")
        log.write("failed in b\n" * 8, "/logs/b.log").write("\tat a\n" * 600, "/logs/a.log")
    assert log.texts() == [["failed in b"]] * 5


chunks = st.tuples(
    st.sampled_from(["/logs/a.log", "/logs/b.log"]),
    st.lists(
        st.sampled_from(
            ["dir /d1 failed\n", "dir /d1 failed\n" * 6, "dir /d2 failed\n", "\tat x\n" * 300, "[2]\n"]
        ),
        min_size=1,
        max_size=3,
    ).map("".join),
)


@settings(max_examples=50)
@given(st.lists(chunks, max_size=60))
@example([("a.log", "dir /d1 failed\n"), ("b.log", "dir /d1 failed\n" * 6), ("a.log", "\tat x\n" * 300)])
def test_what_is_held_is_what_is_counted(written: list[tuple[str, str]]) -> None:
    """Whichever chunks of whichever files come in whichever order, within the bound."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_evidence, "_ALL_BYTES", 6000)
        log = Log()
        for path, text in written:
            log.write(text, path)
            held = sum(len(shown.text) for lines in log.evidence._kept.values() for shown in lines)
            assert log.evidence._bytes == held <= 6000


@settings(max_examples=50)
@given(LINES, st.integers(1, 5))
def test_any_bytes_are_shown_as_text(lines: list[bytes], size: int) -> None:
    """Whatever the log holds, cut wherever: lines of text, within the bounds."""
    log = Log(LogPattern("failed", "*", r"(?P<a>\w)?", "", Place("logs.yml", 1, 1)))
    rows = [line.replace(b"\n", b"") + b"\n" for line in lines]
    while rows:
        log.write(b"".join(rows[:size]))
        rows = rows[size:]
    for line in log.shown():
        assert line["text"]
        assert all("\n" not in text for text in line["text"])
