"""What finds the lines of a chunk that are worth a closer look, and which of the three ways is taken here.

Hyperscan looks for a text of each pattern, all at once, ten times as fast as RE2 and beside the interpreter.
RE2 looks in one automaton for those that have no text, or a common one; where that becomes too big, the texts
that patterns hold are searched one after another.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

import re2

from agent.sources.log_fragments import Lore
from agent.sources.log_scan_copy import ScanCopy, copy_of
from agent.sources.log_scan_literals import LiteralFinder
from agent.sources.log_scan_re2 import AUTOMATON_BYTES, Re2Finder, SeparateFinder

_log = logging.getLogger(__name__)


class Finder(Protocol):
    """One way to search chunks for the patterns with these numbers."""

    name: str
    numbers: frozenset[int]
    by_text: bool  # whether it goes by a text of each, which other lines may hold, too
    repeats: Mapping[int, int]  # by pattern, how often the last `find` met it once more in the same line

    def find(self, chunk: bytes) -> Mapping[int, Sequence[int]]:
        """By pattern, the ends of the lines that it may find, in their order. The chunk ends with an end."""


def finders(regexes: Sequence[str], lore: Lore) -> tuple[Finder, ...]:
    """The fastest ways that this machine, the patterns and the log allow; each pattern is searched by one."""
    copies = {number: copy_of(regex) for number, regex in enumerate(regexes)}
    chosen: list[Finder] = []
    left = {number: copy for number, copy in copies.items() if copy.scan is not None}
    fragments = lore.fragments({number: copy.runs for number, copy in left.items()})
    if fragments and (fast := hyperscan_finder(fragments)) is not None:
        chosen.append(fast)
        left = {number: copy for number, copy in left.items() if number not in fast.numbers}
    if left:
        chosen.append(slow := re2_finder(left))
        left = {number: copy for number, copy in left.items() if number not in slow.numbers}
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


def hyperscan_finder(
    fragments: Mapping[int, Sequence[bytes]], cpu: Path = Path("/proc/cpuinfo")
) -> Finder | None:
    """For patterns with these texts; None where it is not installed, or the processor lacks what it needs."""
    if (why := hyperscan_missing(cpu)) is not None:
        _log.info("hyperscan is not used: %s", why)
        return None
    try:
        module = import_module("agent.sources.log_scan_hyperscan")
    except ImportError as error:
        _log.info("hyperscan is not used: %s", error)
        return None
    finder: Finder = module.HyperscanFinder(fragments)
    return finder


def hyperscan_missing(cpu: Path) -> str | None:
    """Why hyperscan must not even be imported: an instruction that is lacking ends the process at once."""
    machine = platform.machine()
    if machine == "aarch64":
        return None
    if machine != "x86_64":
        return f"it has no build for {machine}"
    try:
        flags = next((line for line in cpu.read_text().splitlines() if line.startswith("flags")), "").split()
    except OSError as error:
        return f"what the processor can is not known: {error}"
    missing = {"sse4_2", "popcnt"} - set(flags)
    return f"this processor has no {' and no '.join(sorted(missing))}" if missing else None
