"""What finds the lines of a chunk that are worth a closer look, and which of the three ways is taken here.

Aho and Corasick's automaton looks for fragments of all patterns at once, twenty times as fast as RE2 and
beside the interpreter. RE2 looks in one automaton for those that have no text, or common ones only; where
that becomes too big, the texts that patterns hold are searched one after another.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol

import re2

from agent.sources.log_fragments import Lore
from agent.sources.log_scan_copy import ScanCopy, copy_of
from agent.sources.log_scan_literals import LiteralFinder
from agent.sources.log_scan_re2 import AUTOMATON_BYTES, Re2Finder, SeparateFinder

_TOGETHER = 250  # patterns in one automaton: it is ten times slower with 1,000 than with 300

_log = logging.getLogger(__name__)


class Finder(Protocol):
    """One way to search chunks for the patterns with these numbers."""

    name: str
    numbers: frozenset[int]
    at_once: int  # bytes of a chunk, whole lines of it: so many hits are kept at once
    vain: Mapping[bytes, int]  # by fragment, how often the last `find` met it for nothing

    def find(self, chunk: bytes) -> Mapping[int, Sequence[int]]:
        """By pattern, the ends of the lines that it may find, in their order. The chunk ends with an end."""


def finders(regexes: Sequence[str], lore: Lore) -> tuple[Finder, ...]:
    """The fastest ways that this machine, the patterns and the log allow; each pattern is searched by one.
    `lore` is of the same patterns."""
    copies = {number: copy_of(regex) for number, regex in enumerate(regexes)}
    chosen: list[Finder] = []
    left = {number: copy for number, copy in copies.items() if copy.scan is not None}
    if (fast := text_finder(lore)) is not None:
        chosen.append(fast)
        left = {number: copy for number, copy in left.items() if number not in fast.numbers}
    rows = list(left.items())
    chosen += [re2_finder(dict(rows[at : at + _TOGETHER])) for at in range(0, len(rows), _TOGETHER)]
    done = frozenset[int]().union(*(finder.numbers for finder in chosen))
    if rest := {number: regex for number, regex in enumerate(regexes) if number not in done}:
        chosen.append(SeparateFinder(rest))
    return tuple(chosen)


def re2_finder(copies: Mapping[int, ScanCopy], memory: int = AUTOMATON_BYTES) -> Finder:
    """One automaton of all, or where that is too big their texts."""
    try:
        return Re2Finder(copies, memory)
    except re2.error:
        return LiteralFinder({number: copy for number, copy in copies.items() if copy.literals})


def text_finder(lore: Lore) -> Finder | None:
    """For patterns that have fragments; None where none has, or where aho-corasick is not installed: not each
    machine has a build."""
    try:
        module = import_module("agent.sources.log_scan_texts")
    except ImportError as error:
        _log.debug("log files are searched more slowly: %s", error)
        return None
    cover = lore.cover()
    finder: Finder | None = module.TextFinder(cover) if cover else None
    return finder
