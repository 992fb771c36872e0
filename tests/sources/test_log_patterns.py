"""Which lines patterns find, and how many series they may make."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from agent.model import LogPattern, Place
from agent.sources.log_patterns import Counters, Scanner


def pattern(name: str, regex: str) -> LogPattern:
    return LogPattern(name, "*", regex, "", Place("logs.yml", 1, 1))


def test_each_line_counts_once_for_each_pattern_that_finds_it() -> None:
    """However often within the line; groups become labels, optional ones that took no part are empty."""
    scanner = Scanner(
        [pattern("disk", r"dir=(?P<dir>\S+)(?: error=(?P<error>\w+))?"), pattern("err", r"^ERROR\b.*full$")]
    )

    hits = list(scanner.hits(b"ERROR dir=/d1 dir=/d2 full\nfine\nERROR dir=/d3 error=EIO\nnot ERROR full\n"))

    assert hits == [
        ("log_disk_total", (("dir", "/d1"), ("error", ""))),
        ("log_err_total", ()),
        ("log_disk_total", (("dir", "/d3"), ("error", "EIO"))),
    ]


def test_a_match_does_not_reach_into_the_next_line() -> None:
    """Neither is one made of two lines counted, nor does it hide the real one in the second."""
    scanner = Scanner([pattern("across", r"one\stwo"), pattern("two", r"two(?P<rest>[^x]*)end")])

    assert list(scanner.hits(b"one\ntwo\nend\none two\ntwo end\n")) == [
        ("log_across_total", ()),
        ("log_two_total", (("rest", " "),)),
    ]


def test_garbage_is_no_obstacle() -> None:
    """Bytes that are no text and lines without an end are searched like others; long labels are cut."""
    scanner = Scanner([pattern("x", r"ERROR (?P<what>\w+)")])

    assert list(scanner.hits(b"\xff\x00\xfe ERROR a\xff\n\x80\n" + b"ERROR " + b"b" * 9999)) == [
        ("log_x_total", (("what", "a"),)),
        ("log_x_total", (("what", "b" * 200),)),
    ]


WORDS = st.sampled_from(
    ["ERROR", "WARN", "dir=/d1", "dir=/d2", "x", "", "\r", "\t", "ERRORERROR", "é", "\x00"]
)
LINES = st.lists(st.lists(WORDS, max_size=4).map(" ".join), max_size=30)
REGEXES = (r"ERROR", r"^WARN", r"dir=(?P<dir>/\w+)", r"x$", r"(?P<a>ERROR).*(?P<b>x)", r"\Aé", r"^\s*$")


@given(LINES)
def test_the_scan_of_a_chunk_is_the_search_of_each_line(lines: list[str]) -> None:
    """Whatever the lines: the same as the standard library's `re`, line by line."""
    scanner = Scanner([pattern(str(n), regex) for n, regex in enumerate(REGEXES)])
    chunk = "".join(line + "\n" for line in lines).encode()

    expected = Counter(
        (f"log_{n}_total", tuple(sorted(found.groupdict().items())))
        for line in lines
        for n, regex in enumerate(REGEXES)
        if (found := re.search(regex, line, re.ASCII))
    )
    assert Counter(scanner.hits(chunk)) == expected


def test_a_pattern_makes_no_more_series_than_its_limit() -> None:
    """What comes after goes to the series without labels, which is there from the beginning."""
    counters = Counters(
        ["log_x_total", "log_y_total"], {("log_x_total", (("n", "0"),)): 5, ("log_gone_total", ()): 9}
    )

    for n in [*range(150), 0, 1]:
        counters.add(("log_x_total", (("n", str(n)),)))
    counters.add(("log_y_total", (("n", "1"),)))

    assert len(counters.values) == 1 + 100 + 1 + 1
    assert counters.values["log_x_total", ()] == 50
    assert counters.values["log_x_total", (("n", "0"),)] == 5 + 2
    assert counters.values["log_y_total", ()] == 0
    assert counters.values["log_y_total", (("n", "1"),)] == 1
    assert sum(counters.values.values()) == 5 + 152 + 1
