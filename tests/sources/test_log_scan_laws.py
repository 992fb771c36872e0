"""Three engines and one law: whatever the patterns and bytes, each line counts as RE2 alone would have it,
but for a hole that it begins with."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from itertools import product

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from log_lines import LINES, regexes

from agent.model import LogPattern, Place
from agent.sources.log_counters import Counters
from agent.sources.log_evidence import Evidence
from agent.sources.log_finders import Finder, re2_finder, text_finder
from agent.sources.log_fragments import Lore
from agent.sources.log_groups import LineSearch
from agent.sources.log_hits import Groups, Hit
from agent.sources.log_patterns import Scanner
from agent.sources.log_scan_copy import copy_of
from agent.sources.log_scan_literals import LiteralFinder
from agent.sources.log_scan_re2 import SeparateFinder

EXAMPLES = int(os.environ.get("OTTLA_LOG_EXAMPLES", "60"))  # of each law; 20,000 take some minutes
HOW = settings(max_examples=EXAMPLES)


def pattern(name: str, regex: str) -> LogPattern:
    return LogPattern(name, "*", regex, "", Place("logs.yml", 1, 1))


def groups_of(regex: str, line: bytes) -> Groups | None:
    """The oracle: RE2's own search of the one line."""
    options = re2.Options()
    options.log_errors = False
    compiled = re2.compile(regex, options)
    found = compiled.search(line)
    return found and tuple(found[index] or b"" for index in sorted(compiled.groupindex.values()))


def engines(texts: Sequence[str], log: bytes = b"") -> dict[str, tuple[Finder, ...]]:
    """Each way of searching for all patterns, the others taking what it cannot; aho-corasick as well with
    what it learns from the log."""
    copies = {n: copy_of(text) for n, text in enumerate(texts)}
    scannable = {n: copy for n, copy in copies.items() if copy.scan is not None}
    with_texts = {n: copy for n, copy in scannable.items() if copy.literals}
    lore = Lore({n: copy.runs for n, copy in scannable.items()})
    untaught = text_finder(lore)
    lore.learn(b"..." + log)
    ways: dict[str, tuple[Finder | None, ...]] = {
        "aho-corasick": (untaught,),
        "aho-corasick, taught": (text_finder(lore),),
        "re2": (re2_finder(scannable) if scannable else None,),
        "literals": (LiteralFinder(with_texts) if with_texts else None,),
        "separate": (),
    }
    whole = {}
    for name, finders in ways.items():
        made = tuple(finder for finder in finders if finder is not None)
        left = set(copies) - {n for finder in made for n in finder.numbers}
        rest = SeparateFinder({n: texts[n] for n in left})
        whole[name] = (*made, rest) if left else made
    return whole


def hits(
    finders: tuple[Finder, ...], texts: Sequence[str], chunk: bytes, at_once: int
) -> list[tuple[int, str, Hit]]:
    scanner = Scanner([pattern(f"p{n}", text) for n, text in enumerate(texts)])
    scanner.finders = finders
    for finder in finders:
        finder.at_once = at_once
    return [(start, hit.pattern.name, hit) for start, hit in scanner.placed(chunk)]


@HOW
@given(st.lists(regexes(), min_size=1, max_size=6), LINES, st.booleans())
@example([r"[^\n]*x|", r"\s+$", "^$"], [b"", b"x\r", b" ", b""], True)
@example(["(?i)k", "(?i)S"], ["\u212a".encode(), "\u017f".encode()], True)
@example(["a(?:ERROR)?b", "(?i)[ks]x"], [b"ab", "\u212ax".encode()], True)
@example(["^ab", "^$", "^a(?i)b", "^ERROR"], [b"\0\0ab", b"\0", b"\0ERROR", b"x\0ab", b"\0x"], True)
@example(["^.{2}$"], ["éé".encode(), b"\xff\xff", b"ab"], False)
@example(
    ["^.{2}$", "a.b", "(a|x.)b", "^[^x]{1,2}c"], [b"ab", b"abc", b"axb", b"axxb", b"xb", b"aaac"] * 10, True
)
@example(["a{300}", "^a+$", "b$"], [b"a" * 299, b"a" * 301, b"ab"] * 10, True)
@example(["^.{2}$", "a.b", "a.*b"], [b"ab", "éé".encode(), "aéb".encode(), b"a\xffb"] * 10, False)
def test_every_engine_finds_what_re2_finds_in_each_line(
    texts: list[str], lines: list[bytes], ended: bool
) -> None:
    """The same lines, the same labels, in the same order; the last line may lack its end."""
    chunk = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    whole = chunk.split(b"\n")
    if whole[-1] == b"":
        whole.pop()  # what is behind the last end is no line
    holes = [len(line) - len(line.lstrip(b"\0")) for line in whole]
    starts = [sum(len(line) + 1 for line in whole[:n]) + hole for n, hole in enumerate(holes)]
    oracle = [
        (start, f"p{n}", groups)
        for start, line in zip(starts, whole, strict=True)
        for n, text in enumerate(texts)
        if (groups := groups_of(text, line.lstrip(b"\0"))) is not None
    ]
    expected = [
        (start, name, tuple(g.decode(errors="replace")[:200] for g in groups))
        for start, name, groups in oracle
    ]
    for (engine, finders), at_once in product(engines(texts, chunk).items(), (1 << 20, 20)):
        found = [
            (start, name, tuple(dict(hit.labels)[key] for key in LineSearch(hit.pattern.regex).names))
            for start, name, hit in hits(finders, texts, chunk, at_once)
        ]
        assert found == expected, (engine, at_once)


@HOW
@given(regexes(), LINES)
def test_a_batch_of_lines_is_each_line_by_itself(regex: str, lines: list[bytes]) -> None:
    """However `groups` goes about it: Python's `re` for all at once, for one, or RE2."""
    lines = [line.replace(b"\n", b"") for line in lines]
    assert LineSearch(regex).groups([line + b"\n" for line in lines]) == [
        groups_of(regex, line) for line in lines
    ]


@HOW
@given(st.lists(regexes(), min_size=1, max_size=5), LINES, st.randoms(use_true_random=False))
def test_chunks_may_end_behind_any_line(texts: list[str], lines: list[bytes], dice: random.Random) -> None:
    """Wherever a file is cut into chunks, the counters are the same."""
    patterns = [pattern(f"p{n}", text) for n, text in enumerate(texts)]
    scanner = Scanner(patterns)
    whole, cut = Counters(patterns, {}), Counters(patterns, {})
    rows = [line.replace(b"\n", b"") + b"\n" for line in lines]
    scanner.count(b"".join(rows), whole, Evidence(), "f")
    while rows:
        size = dice.randint(1, len(rows))
        scanner.count(b"".join(rows[:size]), cut)
        rows = rows[size:]
    assert cut.values == whole.values


@HOW
@given(st.lists(regexes(), min_size=1, max_size=4), st.binary(max_size=2000))
def test_no_bytes_stop_the_scan(texts: list[str], data: bytes) -> None:
    """Whatever is in a log file: it is searched, and counted at most once a line and pattern."""
    patterns = [pattern(f"p{n}", text) for n, text in enumerate(texts)]
    counters = Counters(patterns, {})
    evidence = Evidence()
    Scanner(patterns).count(data, counters, evidence, "f")
    lines = len(data.removesuffix(b"\n").split(b"\n")) if data else 0
    counted = Counter[str]()
    for (name, _), value in counters.values.items():
        counted[name] += int(value)
    assert all(counted[f"log_p{n}_total"] <= lines for n in range(len(texts)))


def test_this_machine_searches_with_aho_corasick() -> None:
    """The laws would be silent about it where it is missing."""
    finder = text_finder(Lore({0: copy_of("ERROR").runs}))
    assert finder is None or finder.name == "aho-corasick"
    if finder is None:
        pytest.skip("aho-corasick is not built for this machine")
