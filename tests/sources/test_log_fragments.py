"""Which texts of patterns are looked for in a log, and what is done where they turn out to be common."""

from __future__ import annotations

import pytest

from agent.model import LogPattern, Place
from agent.sources.log_counters import Counters
from agent.sources.log_finders import hyperscan_finder
from agent.sources.log_fragments import LONGEST, Lore
from agent.sources.log_patterns import Scanner
from agent.sources.log_scan_copy import copy_of

ERROR = b"ERROR [ReplicaFetcher replicaId=1] Error due to (kafka.server.ReplicaFetcherThread)\n"
QUIET = b"INFO [ReplicaFetcher replicaId=1] Truncated to offset 0 (kafka.server.ReplicaFetcherThread)\n"
REGEX = r"\[ReplicaFetcher replicaId=\d+\] Error due to"


def scanner(*regexes: str) -> tuple[Scanner, Counters]:
    patterns = [LogPattern(f"p{n}", "*", regex, "", Place("l", 1, 1)) for n, regex in enumerate(regexes)]
    return Scanner(patterns), Counters(patterns, {})


def test_the_text_is_taken_that_the_log_has_not() -> None:
    """Of what every match holds, not the one that most lines hold, too."""
    lore = Lore()
    lore.learn(QUIET * 200)

    ((text,),) = lore.fragments({0: copy_of(REGEX).runs}).values()
    assert text in ERROR
    assert text not in QUIET
    assert len(text) <= LONGEST


@pytest.mark.parametrize("regex", ["abc", r"\d+", "(?i)error", "error|x", "aaaaaaaa", "abababab", "x.*y"])
def test_of_what_has_no_text_worth_it_there_is_none(regex: str) -> None:
    """Too short, not the same in each match, in one branch only, or many times in one word."""
    assert Lore().fragments({0: copy_of(regex).runs}) == {}


def test_each_branch_has_its_own() -> None:
    """A line holds one of them."""
    assert Lore().fragments({5: copy_of("metadata loading|quorum failed").runs}) == {
        5: (b"metadata", b"quorum f")
    }


def test_what_is_common_in_the_log_is_not_looked_for() -> None:
    """Then the whole expression costs less."""
    lore = Lore()
    lore.learn(ERROR * 200)

    assert lore.fragments({0: copy_of(REGEX).runs}) == {}


def test_a_text_that_a_line_holds_often_is_reported_once() -> None:
    """However long the line."""
    finder = hyperscan_finder({3: [b"because of"]})
    if finder is None:
        pytest.skip("hyperscan does not run here")

    chunk = b"because of " * 200_000 + b"\nbecause of\n"
    assert finder.find(chunk) == {3: [len(chunk) - 12, len(chunk) - 1]}


def test_patterns_that_begin_alike_have_different_ones() -> None:
    """Else each such line is looked at for all of them."""
    texts = ("Error while accepting connection", "Error while rolling log segment", "Error while x")
    found = Lore().fragments({n: copy_of(text).runs for n, text in enumerate(texts)})

    assert len(set(found.values())) == 3


def test_a_scanner_learns_from_the_first_piece_what_is_rare() -> None:
    """From no less, and from no other."""
    scan, counters = scanner(REGEX)
    first = scan.finders
    scan.count(QUIET * 10, counters)
    assert scan.finders is first

    scan.count(QUIET * 2000, counters)
    assert (second := scan.finders) is not first
    scan.count(ERROR * 2000, counters)
    assert scan.finders is second
    assert counters.values["log_p0_total", ()] == 2000


@pytest.mark.parametrize(
    "storm",
    [b"WARN] Error due to that\n" * 1000, b"] Error due to " * 3000 + b"\n"],
    ids=["lines", "one line"],
)
def test_a_text_that_is_found_in_vain_is_no_longer_looked_for(storm: bytes) -> None:
    """Nor is it later, in storms of whatever: then the whole expression costs less. Each line counts once."""
    scan, counters = scanner(REGEX, "metadata loading")
    scan.count(QUIET * 2000, counters)
    (taught, *_) = scan.finders
    if taught.name != "hyperscan":
        pytest.skip("hyperscan does not run here")
    assert taught.numbers == {0, 1}

    scan.count(storm + ERROR, counters)
    finders = scan.finders
    assert [(finder.name, set(finder.numbers)) for finder in finders] == [("hyperscan", {1}), ("re2", {0})]
    scan.count(storm + ERROR, counters)
    assert scan.finders is finders
    assert counters.values["log_p0_total", ()] == 2
