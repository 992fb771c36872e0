"""The journal told against the journal expected: line by line, dots for any entries or none."""

from __future__ import annotations

from collections.abc import Sequence

from agent.model import Decision, Entry
from agent.quantities import show_duration
from agent.rehearsal.cases import ExpectedEntry

OFF_MS = 1_000  # the loop looks each half second, and a release may look a little sooner or later
Told = tuple[int, Entry, Decision | None]  # ms after the start, in whole seconds; the entry, its decision


def told(entries: Sequence[Entry], start: int) -> list[Told]:
    """The entries as they are compared; only those that open an incident carry its decision themselves."""
    decisions: dict[str, Decision] = {}
    found = []
    for entry in entries:
        if entry.decision is not None:
            decisions[entry.incident] = entry.decision
        found.append(((entry.at - start) // 1000 * 1000, entry, decisions.get(entry.incident)))
    return found


def show(line: Told) -> str:
    """`1m15s refused drain_disk on /data1 (healthy elsewhere): broker 3 is down: one patient at a time`."""
    at, _, _ = line
    return f"{show_duration(at)} {_wordings(line)[0]}"


def differences(expected: Sequence[ExpectedEntry], got: Sequence[Told]) -> tuple[str, ...]:
    """The fewest lines that are missing (-) or too many (+), and between them what dots stand for.

    Empty where the journals agree.
    """
    costs = _costs(expected, got)
    lines, e, g = [], 0, 0
    while e < len(expected) or g < len(got):
        wanted = expected[e] if e < len(expected) else None
        cost = costs[e][g]
        if wanted is None:
            lines.append(f"+ {show(got[g])}")
            g += 1
        elif wanted.at is None:
            skips = g < len(got) and costs[e][g + 1] == cost
            lines += [f"  {show(got[g])}"] if skips else []
            e, g = (e, g + 1) if skips else (e + 1, g)
        elif g < len(got) and _agree(wanted, got[g]):
            e, g = e + 1, g + 1
        elif costs[e + 1][g] + 1 == cost:
            lines.append(f"- {show_duration(wanted.at)} {wanted.words}")
            e += 1
        else:
            lines.append(f"+ {show(got[g])}")
            g += 1
    return tuple(lines) if costs[0][0] else ()


def _costs(expected: Sequence[ExpectedEntry], got: Sequence[Told]) -> list[list[int]]:
    """How many lines differ from `expected[e:]` to `got[g:]`, at [e][g]."""
    below = list(range(len(got), -1, -1))  # nothing more expected: whatever is left is too many
    table = [below]
    for wanted in reversed(expected):
        row = [below[-1] + (wanted.at is not None)]
        for g in range(len(got) - 1, -1, -1):
            if wanted.at is None:
                row.append(min(below[g], row[-1]))
            elif _agree(wanted, got[g]):
                row.append(below[g + 1])
            else:
                row.append(1 + min(below[g], row[-1]))
        below = row[::-1]
        table.append(below)
    return table[::-1]


def _agree(wanted: ExpectedEntry, line: Told) -> bool:
    """What is expected may end anywhere between two words of what is told, and be a second off."""
    near = wanted.at is not None and abs(wanted.at - line[0]) <= OFF_MS
    return near and any(
        words.startswith(wanted.words) and not words[len(wanted.words) :][:1].isalnum()
        for words in _wordings(line)
    )


def _wordings(line: Told) -> list[str]:
    """Everything that says what the entry is, the fullest first."""
    _, entry, decision = line
    patient = f" on {decision.target}" if decision and decision.target else ""
    deeds = [f" {decision.do}{patient}", ""] if decision else [""]
    questions = [f" ({entry.question})", ""] if entry.question else [""]
    reason = f": {' '.join(entry.reason.split())}" if entry.reason else ""
    return [f"{entry.kind}{deed}{question}{reason}" for deed in deeds for question in questions]
