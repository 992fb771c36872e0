"""Which fragments of patterns are looked for in a log, and what is done where they turn out to be common."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from log_lines import regexes

from agent.model import LogPattern, Place
from agent.sources import log_patterns
from agent.sources.log_counters import Counters
from agent.sources.log_finders import Finder, text_finder
from agent.sources.log_fragments import LENGTH, Lore
from agent.sources.log_patterns import Scanner
from agent.sources.log_scan_copy import copy_of

ERROR = b"ERROR [ReplicaFetcher replicaId=1] Error due to (kafka.server.ReplicaFetcherThread)\n"
QUIET = b"INFO [ReplicaFetcher replicaId=1] Truncated to offset 0 (kafka.server.ReplicaFetcherThread)\n"
REGEX = r"\[ReplicaFetcher replicaId=\d+\] Error due to"


def scanner(*regexes: str) -> tuple[Scanner, Counters]:
    patterns = [LogPattern(f"p{n}", "*", regex, "", Place("l", 1, 1)) for n, regex in enumerate(regexes)]
    return Scanner(patterns), Counters(patterns, {})


def lore(*regexes: str, log: bytes = b"") -> Lore:
    """Of these patterns in this log."""
    made = Lore({n: copy_of(regex).runs for n, regex in enumerate(regexes)})
    if log:
        made.learn(log)
    return made


def fragments(*regexes: str, log: bytes = b"") -> dict[bytes, set[int]]:
    """Each with the patterns that it stands for."""
    cover = lore(*regexes, log=log).cover()
    return {fragment: {use.number for use in uses} for fragment, uses in cover.items()}


def covered(*regexes: str) -> Finder:
    """That looks for their fragments."""
    finder = text_finder(lore(*regexes))
    if finder is None:
        pytest.skip("aho-corasick is not built for this machine")
    return finder


def test_a_fragment_is_taken_that_the_log_has_not() -> None:
    """Of what every match holds, not what most lines hold, too."""
    (fragment,) = fragments(REGEX, log=QUIET * 200)
    assert fragment in b"] Error due to"
    assert fragment not in QUIET


def test_patterns_that_have_words_in_common_share_a_fragment() -> None:
    """The fewer there are, the less it costs; what is around it tells them apart."""
    texts = ("Error while accepting", "Error while rolling", "a strange Error", "quorum")
    assert sorted(map(len, fragments(*texts).values())) == [1, 3]
    assert covered(*texts).find(b"an Error\nError while rolling\nquorum\n") == {1: [28], 3: [35]}


@pytest.mark.parametrize("regex", ["abc", r"\d+", "(?i)error", "error|x", "aaaaaaaa", "abababab", "x.*y"])
def test_of_what_has_no_text_worth_it_there_is_none(regex: str) -> None:
    """Too short, not the same in each match, in one branch only, or within itself."""
    assert fragments(regex) == {}


def test_each_branch_has_its_own() -> None:
    """A line holds one of them, or both."""
    regex = "metadata loading|quorum failed"
    assert list(fragments(regex).values()) == [{0}, {0}]

    rows = (b"quorum failed", b"metadata loading", b"quorum failed: metadata loading", b"quorum", b"")
    assert covered(regex).find(b"\n".join(rows)) == {0: [13, 30, 62]}


@given(st.lists(regexes(), max_size=8), st.binary(max_size=200))
@example(["quorum", "rumble"], b"")
def test_no_two_fragments_can_overlap(texts: list[str], log: bytes) -> None:
    """Of two that do, the automaton that is fast tells the first only. Each branch has one that it holds."""
    runs = {n: copy_of(text).runs for n, text in enumerate(texts)}
    cover = lore(*texts, log=log).cover()

    for one, other in itertools.product(cover, repeat=2):
        assert not any(one[by:] == other[: LENGTH - by] for by in range(1, LENGTH))
    held = {n: {use.text for uses in cover.values() for use in uses if use.number == n} for n in runs}
    for number, branches in runs.items():
        assert not held[number] or all(held[number] & set(branch) for branch in branches)
    for fragment, uses in cover.items():
        assert all(use.text[use.before : use.before + LENGTH] == fragment for use in uses)


def test_what_is_common_in_the_log_is_not_looked_for() -> None:
    """Then the whole expression costs less."""
    assert fragments(REGEX, log=ERROR * 200) == {}


def test_a_scanner_learns_what_is_rare_from_chunks_that_tell_it() -> None:
    """From no small one, and then from one that tells much more."""
    scan, counters = scanner(REGEX)
    first = scan.finders
    scan.count(QUIET * 10, counters)
    assert scan.finders is first

    scan.count(QUIET * 200, counters)
    assert (second := scan.finders) is not first
    scan.count(ERROR * 200, counters)
    assert scan.finders is second
    scan.count(ERROR * 2000, counters)
    assert [finder.name for finder in scan.finders] == ["re2"]
    assert counters.values["log_p0_total", ()] == 2200


def test_what_is_learnt_last_counts_most() -> None:
    """As a log changes."""
    changed = lore(REGEX, "rebalance", log=ERROR * 200)
    assert {use.number for uses in changed.cover().values() for use in uses} == {1}
    for _ in range(9):
        changed.learn(QUIET * 200)

    assert {use.number for uses in changed.cover().values() for use in uses} == {0, 1}


def test_another_fragment_is_taken_for_one_that_is_met_for_nothing() -> None:
    """As the log changes; none that the new lines hold, too."""
    scan, counters = scanner(REGEX, "metadata loading")
    scan.count(QUIET * 2000, counters)
    if scan.finders[0].name != "aho-corasick":
        pytest.skip("aho-corasick is not built for this machine")
    scan.count(QUIET * 200 + ERROR * 3, counters)
    (taken,) = (each for each in scan.finders[0].vain if each in b"] Error due to")

    storm = taken + b" in other lines\n"
    scan.count(storm * 2000 + ERROR, counters)
    scan.count(storm * 2000 + ERROR, counters)
    (finder,) = scan.finders
    assert finder.numbers == {0, 1}
    assert taken not in finder.vain
    assert counters.values["log_p0_total", ()] == 5


@pytest.mark.parametrize(
    "storm",
    [b"WARN] Error due to that\n" * 4000, b"] Error due to " * 6000 + b"\n"],
    ids=["lines", "one line"],
)
def test_a_text_that_is_found_in_vain_is_no_longer_looked_for(storm: bytes) -> None:
    """Nor is it later, in storms of whatever: then the whole expression costs less. Each line counts once."""
    scan, counters = scanner(REGEX, "metadata loading")
    scan.count(QUIET * 2000, counters)
    (taught, *_) = scan.finders
    if taught.name != "aho-corasick":
        pytest.skip("aho-corasick is not built for this machine")
    assert taught.numbers == {0, 1}

    scan.count(storm + ERROR, counters)
    finders = scan.finders
    assert [(finder.name, set(finder.numbers)) for finder in finders] == [("aho-corasick", {1}), ("re2", {0})]
    scan.count(storm + ERROR, counters)
    assert scan.finders is finders
    assert counters.values["log_p0_total", ()] == 2


def test_a_fragment_stands_for_few_patterns_where_others_may() -> None:
    """All its patterns are compared wherever it is met: a thousand would take seconds in a storm."""
    found = fragments(*(f"KafkaException in {n}xyz{n * 7919}" for n in range(100, 140)))
    assert max(map(len, found.values())) == 16
    assert set().union(*found.values()) == set(range(40))


def test_what_was_common_in_a_log_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad hour must not slow the search for good."""
    monkeypatch.setattr(log_patterns, "_FORGET", 1 << 20)
    scan, counters = scanner(REGEX)
    scan.count(QUIET * 2000, counters)
    before = [finder.name for finder in scan.finders]
    scan.count(b"WARN] Error due to that\n" * 4000, counters)
    assert [finder.name for finder in scan.finders] == ["re2"]
    for _ in range(8):
        scan.count(QUIET * 2000, counters)
    assert [finder.name for finder in scan.finders] == before
    scan.count(ERROR, counters)
    assert counters.values["log_p0_total", ()] == 1


def test_some_lines_that_are_nearly_a_patterns_make_nothing_slower() -> None:
    """Fewer than one in half a KiB cost less than another way of searching."""
    scan, counters = scanner(REGEX)
    scan.count(QUIET * 2000, counters)
    first = scan.finders
    for _ in range(8):
        scan.count((QUIET * 20 + b"WARN] Error due to that\n") * 100, counters)
    assert [finder.name for finder in scan.finders] == [finder.name for finder in first]
