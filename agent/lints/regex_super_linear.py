"""regex-super-linear: patterns that cost more than one look at each letter."""

from __future__ import annotations

from collections.abc import Iterator

import re2

from agent.lints.case import Case, Finding
from agent.lints.shapes import selectors
from agent.regex_parts import Atom, parts, within

_MAX_PROGRAM = 2_000  # of RE2's instructions; \S+ has about 30, and 40 patterns share one automaton's memory
_QUIET = re2.Options()
_QUIET.log_errors = False


def regex_super_linear(case: Case) -> Iterator[Finding]:
    """Repetitions of what repeats itself, and counted ones that make a huge automaton."""
    for pattern in case.book.logs:
        scalar = case.marks.scalar(pattern.place, "regex")
        for index, width, message, hint in _costly(pattern.regex):
            if scalar:
                yield Finding(scalar.place_of(index), message, hint, width)
    for each in case.written:
        for selector in selectors(each.node):
            for matcher in (m for m in selector.matchers if m.op.endswith("~")):
                for _, _, message, hint in _costly(matcher.value):
                    yield each.finding(f"{matcher}: {message}", hint, at=selector)


def _costly(pattern: str) -> Iterator[tuple[int, int, str, str]]:
    """Index, width, message and hint of each costly part."""
    for atom, _ in within(parts(pattern)):
        if atom.endless and any(_ambiguous(branch) for branch in atom.branches):
            message = f"{atom.text} repeats what repeats: engines that backtrack take exponential time"
            yield atom.start, len(atom.text), message, "one repetition finds the same"
    size = re2.compile(pattern, _QUIET).programsize
    if size > _MAX_PROGRAM:
        message = f"this compiles to {size} instructions, at most {_MAX_PROGRAM} run fast"
        yield 0, 1, message, "write shorter counted repetitions, as in .{0,500}"


def _ambiguous(branch: tuple[Atom, ...]) -> bool:
    """Whether the same text can be split over its repetitions in several ways: all but one part may be empty,
    and that one repeats."""
    needed = [atom for atom in branch if atom.least > 0]
    repeating = [atom for atom in branch if atom.endless]
    return bool(repeating) and (not needed or needed in ([atom] for atom in repeating))
