"""Which engine searches, and what happens where it cannot."""

from __future__ import annotations

import sys

import pytest

from agent.sources.log_finders import Finder, finders, re2_finder, text_finder
from agent.sources.log_fragments import LENGTH as FRAGMENT
from agent.sources.log_fragments import Lore
from agent.sources.log_scan_copy import TooMany, copy_of
from agent.sources.log_scan_literals import LiteralFinder
from agent.sources.log_scan_re2 import SeparateFinder
from agent.sources.log_scan_texts import WINDOW

MIB = 1 << 20


def lore(*regexes: str) -> Lore:
    """Of nothing but the patterns."""
    return Lore({n: copy_of(regex).runs for n, regex in enumerate(regexes)})


def covered(*texts: str) -> Finder:
    """That looks for these texts, the patterns 0, 1 and so on."""
    finder = text_finder(lore(*texts))
    if finder is None:
        pytest.skip("aho-corasick is not built for this machine")
    return finder


def test_where_aho_corasick_is_not_installed_re2_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else changes."""
    monkeypatch.delitem(sys.modules, "agent.sources.log_scan_texts", raising=False)
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)

    assert [finder.name for finder in finders(["ERROR", "WARN"], lore("ERROR", "WARN"))] == ["re2"]


def test_what_has_no_copy_is_searched_by_itself() -> None:
    """Flags inside the pattern, and what finds empty lines; what has no text that is long enough, by RE2."""
    regexes = ["ERROR", "a(?i)b", "^$", r"\pL", "a|ERROR"]
    ways = {finder.name: finder.numbers for finder in finders(regexes, lore(*regexes))}

    assert ways["re2, each by itself"] == {1, 2, 3}
    assert ways["re2"] in ({4}, {0, 4})


def test_too_many_patterns_for_one_automaton_are_searched_by_their_texts() -> None:
    """RE2 refuses an automaton that is too big."""
    many = {n: copy_of(f"text{n} \\d{{100}}") for n in range(20)}

    finder = re2_finder(many, memory=1 << 14)
    assert (finder.name, re2_finder(many).name) == ("literals", "re2")
    assert finder.find(b"nothing\ntext7 \n") == {7: [14]}


def test_a_line_is_reported_once_however_often_a_pattern_is_in_it() -> None:
    """A report costs more than the search of a line."""
    (finder,) = finders(["xxxy"], lore("xxxy"))
    assert {n: len(places) for n, places in finder.find((b"xxxy" * 1000 + b"\n") * 3).items()} == {0: 3}


def test_a_text_counts_wherever_it_is_in_the_chunk() -> None:
    """At its ends, and across the windows in which it is searched."""
    finder = covered("ERROR x", "quorum")
    row = b"." * 99 + b"\n"
    for before in range(FRAGMENT + len(b"ERROR x")):
        rows = (row * (WINDOW // len(row) + 1))[: WINDOW - before - 1] + b"\n"
        chunk = b"ERROR x\n" + rows[len(b"ERROR x\n") :] + b"ERROR x\nquorum\n"
        ends = {0: [7, len(chunk) - 8], 1: [len(chunk) - 1]}
        assert finder.find(chunk) == ends, before
    assert finder.find(b"RROR x\nERROR \n") == {}


def test_the_texts_that_it_is_padded_with_are_never_reported() -> None:
    """Wherever they are, only the pattern's own line counts."""
    finder = covered("ERROR", "quorum")
    padding = b"".join(bytes((n,)) * 4 for n in range(256))
    assert finder.find(padding + b"ERROR\n" + padding) == {0: [len(padding) + 5]}
    assert finder.vain == {b"ERRO": 0} or finder.vain == {b"RROR": 0}


def test_a_chunk_with_too_many_hits_is_refused_before_memory_grows() -> None:
    """It is searched in halves then: see Scanner. A single line has no halves."""
    finder = covered("fail")
    with pytest.raises(TooMany):
        finder.find(b"fail\n" * (MIB // 5))
    assert finder.find(b"fail " * (MIB // 5) + b"\n") == {0: [MIB // 5 * 5]}
    assert len(finder.find(b"fail\n" * 1000)[0]) == 1000


@pytest.mark.parametrize("way", ["re2", "literals", "separate"])
def test_no_way_keeps_more_hits_than_it_may(way: str) -> None:
    """A chunk of short lines would fill a gigabyte."""
    copies = {0: copy_of("fail"), 1: copy_of("never")}
    ways: dict[str, Finder] = {"re2": re2_finder(copies), "literals": LiteralFinder(copies)}
    finder = ways.get(way) or SeparateFinder({0: "fail", 1: "never"})
    with pytest.raises(TooMany):
        finder.find(b"fail\n" * (MIB // 5))
    assert finder.find(b"fail " * (MIB // 5) + b"\n") == {0: [MIB // 5 * 5]}
    assert len(finder.find(b"fail\n" * 1000)[0]) == 1000


def test_many_patterns_are_searched_by_several_automata() -> None:
    """One of a thousand patterns is far slower than four of a quarter."""
    regexes = [f"(?i)pattern{n}ofmany" for n in range(600)]
    ways = finders(regexes, lore(*regexes))
    assert [(way.name, len(way.numbers)) for way in ways] == [("re2", 250), ("re2", 250), ("re2", 100)]
    assert ways[1].find(b"x\nPattern300OfMany\n")[300] == [18]


def test_each_by_itself_looks_at_lines_not_at_the_fail() -> None:
    """`\\A` is a line's beginning."""
    assert SeparateFinder({3: r"\Aab$"}).find(b"ab\nxab\nab\n") != {}
