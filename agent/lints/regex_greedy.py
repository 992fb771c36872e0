"""regex-greedy: `.*` in a log pattern takes more than was meant."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.regex_parts import Atom, parts, within


def regex_greedy(case: Case) -> Iterator[Finding]:
    """`.*` and `.+` between other parts of a log pattern, in a label, or where they do nothing."""
    for pattern in case.book.logs:
        scalar = case.marks.scalar(pattern.place, "regex")
        branches = parts(pattern.regex)
        ends = {id(atom) for branch in branches for atom in branch[:1] + branch[-1:]}
        for atom, name in within(branches):
            if atom.text == "." and atom.endless and not atom.lazy and scalar:
                message, hint = _said(atom, name, id(atom) in ends)
                yield Finding(scalar.place_of(atom.start), message, hint, 2)


def _said(atom: Atom, name: str, at_the_end: bool) -> tuple[str, str]:
    written = "." + ("*" if atom.least == 0 else "+")
    if name:
        return f"the label {name} takes all that {written} finds: each line may be a new series", (
            r"say what a value is made of, as \S+ or [^)]+"
        )
    if at_the_end:
        return f"{written} does nothing here: the pattern is searched within the line", "leave it out"
    return f"{written} runs on to the last match of what follows it, over anything between", (
        r"say what may stand there, as \S+, or write .*? for the first match"
    )
