"""A backtest as text: one line a rule with a bar of its time; what its remedies would have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from agent.backtest.lives import Lives
from agent.backtest.run import Backtest
from agent.backtest.words import (
    decided,
    end_of,
    fired,
    firing_ms,
    long,
    named,
    shown,
    told,
    when,
)
from agent.model import Entry, Kind, RuleHealth

_QUIET, _PENDING, _FIRING, _ACTION = "·", "▒", "█", "▲"
_HEALTH = {RuleHealth.COLD: "c", RuleHealth.BLIND: "?", RuleHealth.FAILING: "!", RuleHealth.STORM: "s"}
_LEGEND = "· quiet  ▒ pending  █ firing  ▲ an action would begin  c cold  ? blind  ! failing  s storm"
_NAME, _TAIL = 30, 36  # columns
_TOLD = 10  # lines about remedies, where not all are wanted


def text(found: Backtest, width: int, *, every: bool) -> str:
    """For a terminal of that width. `every`: each alert and each entry too."""
    bar = max(10, width - _NAME - _TAIL - 2)
    lines = [_title(found), *found.notes, _LEGEND, _axis(found, bar)]
    begun = Counter(_starts(found))
    lines += [_line(each, found, bar, begun) for each in found.rules]
    lines += _events(found) if every else []
    lines += _remedies(found, every=every)
    lines += ["assumed:", *(f"  {words}" for words in found.assumed)]
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """Labels come from anywhere: nothing in them may speak to the terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in line)


def _title(found: Backtest) -> str:
    grid = found.grid
    return (
        f"{when(grid.start)} to {when(grid.end)} UTC, judged each {long(grid.step)}: "
        f"{found.store.samples:,} samples of {found.store.count:,} series"
    )


def _axis(found: Backtest, width: int) -> str:
    grid = found.grid
    marks = [
        (at, when(grid.start + (grid.end - grid.start) * at // max(1, width))[11:16])
        for at in range(0, width - 5, 12)
    ]
    line = ""
    for at, words in marks:
        line = line.ljust(at) + words
    return " " * (_NAME + 1) + line


def _line(each: Lives, found: Backtest, width: int, begun: Counter[str]) -> str:
    name = each.rule.name if len(each.rule.name) <= _NAME else each.rule.name[: _NAME - 1] + "…"
    return f"{name:{_NAME}} {''.join(_bar(each, found, width))} {_summary(each, found, begun)}".rstrip()


def _bar(each: Lives, found: Backtest, width: int) -> Iterator[str]:
    """The strongest of what happened in each column."""
    grid = found.grid
    length = max(1, grid.end - grid.start)

    def columns(start: int, end: int) -> range:
        first = min(width - 1, (start - grid.start) * width // length)
        return range(first, max(first + 1, min(width, -(-(end - grid.start) * width // length))))

    cells = [_QUIET] * width
    for stretch in each.stretches():
        for column in columns(stretch.start, stretch.end):
            cells[column] = _HEALTH[stretch.health]
    for mark, spans in (
        (_PENDING, [(life.pending_at, life.fired_at or end_of(life, found)) for life in each.lives]),
        (_FIRING, [(life.fired_at or 0, end_of(life, found)) for life in fired(each)]),
        (_ACTION, [(entry.at, entry.at) for entry in _begun(each, found)]),
    ):
        for start, end in spans:
            for column in columns(start, end):
                cells[column] = mark
    yield from cells


def _begun(each: Lives, found: Backtest) -> list[Entry]:
    return [
        e
        for e in found.entries
        if e.kind is Kind.STARTED and e.decision and e.decision.alert == each.rule.name
    ]


def _starts(found: Backtest) -> Iterator[str]:
    for entry, decision in decided(found.entries):
        if entry.kind in (Kind.STARTED, Kind.REFUSED, Kind.ESCALATED):
            yield f"{decision.alert}/{entry.kind}"


def _summary(each: Lives, found: Backtest, begun: Counter[str]) -> str:
    parts = []
    if count := len(fired(each)):
        parts.append(f"fired {count}×, {long(firing_ms(each, found))}")
    elif each.lives:
        parts.append(f"pending {len(each.lives)}×")
    for kind, words in ((Kind.STARTED, "action"), (Kind.REFUSED, "refusal"), (Kind.ESCALATED, "call")):
        if count := begun[f"{each.rule.name}/{kind}"]:
            parts.append(f"{count} {words}{'s' if count > 1 else ''}")
    worst = max(each.stretches(), key=lambda s: s.end - s.start, default=None)
    if not parts and worst is not None and worst.health is not RuleHealth.COLD:
        parts.append(f"{worst.health} for {long(worst.end - worst.start)}")
    return ", ".join(parts)


def _events(found: Backtest) -> Iterable[str]:
    """Each alert's life, and when each rule could not be judged."""
    yield "alerts:"
    for each in found.rules:
        for life in each.lives:
            ended = f"ended {when(life.ended_at)}" if life.ended_at is not None else "goes on at the end"
            fires = f"fired {when(life.fired_at)}" if life.fired_at is not None else "never fired"
            yield f"  {each.rule.name}{named(life.labels)}: pending {when(life.pending_at)}, {fires}, {ended}"
        for stretch in each.stretches():
            words = f"{stretch.health} {when(stretch.start)} to {when(stretch.end)}"
            yield f"  {each.rule.name}: {words}: {stretch.why}"


def _remedies(found: Backtest, *, every: bool) -> Iterable[str]:
    entries = shown(found.entries)
    if not entries:
        return
    yield "what the remedies would have done:"
    for entry, decision in entries if every else entries[:_TOLD]:
        yield f"  {when(entry.at)} {decision.alert}: {told(entry, decision)}"
    if not every and len(entries) > _TOLD:
        yield f"  and {len(entries) - _TOLD} more (--every, --html and -o json have all)"
