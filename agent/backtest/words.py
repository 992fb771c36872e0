"""What was found, in words and as plain data: times in UTC, label sets without what every alert has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from agent.backtest.lives import Life, Lives
from agent.backtest.run import Backtest
from agent.model import Decision, Entry, Kind, Labels
from agent.promql.labels import render
from agent.quantities import show_duration

Plain = dict[str, Any]


def when(at: int) -> str:
    """An instant, to the second."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def long(ms: int) -> str:
    """A length of time, to the second."""
    return show_duration(ms // 1000 * 1000)


def named(labels: Labels) -> str:
    """An alert's labels but its name, as PromQL writes them; empty where there are none."""
    rest = tuple(pair for pair in labels if pair[0] != "alertname")
    return render(rest) if rest else ""


def end_of(life: Life, found: Backtest) -> int:
    """When it ended, the history at the latest."""
    return found.grid.end if life.ended_at is None else life.ended_at


def fired(lives: Lives) -> list[Life]:
    """The alerts that fired."""
    return [life for life in lives.lives if life.fired_at is not None]


def firing_ms(lives: Lives, found: Backtest) -> int:
    """How long any alert of the rule fired, time counted once."""
    spans = sorted((life.fired_at or 0, end_of(life, found)) for life in fired(lives))
    total, reached = 0, 0
    for start, end in spans:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def decided(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Decision]]:
    """Each entry with what had been decided last for its incident."""
    known: dict[str, Decision] = {}
    for entry in entries:
        if entry.decision is not None:
            known[entry.incident] = entry.decision
        yield entry, known[entry.incident]


def told(entry: Entry, decision: Decision) -> str:
    """One entry as a person would say it; what history cannot know is said to be assumed."""
    what = f"{decision.do} on {decision.target}"
    match entry.kind:
        case Kind.STARTED:
            return f"would do {what}"
        case Kind.REFUSED:
            return f"would refuse {what}: {entry.question}: {entry.reason}"
        case Kind.ESCALATED:
            return f"would call a person for {decision.target}: {entry.reason}"
        case _:
            return f"{entry.kind}: {what}: {entry.reason}"


def shown(entries: Iterable[Entry]) -> list[tuple[Entry, Decision]]:
    """What people need to see: that an assumed effect was done says nothing."""
    silent = (Kind.DONE, Kind.CLOSED, Kind.WITHDRAWN)
    return [(entry, decision) for entry, decision in decided(entries) if entry.kind not in silent]


def plain(found: Backtest) -> Plain:
    """Everything, for programs; times are ms since the epoch."""
    return {
        "start": found.grid.start,
        "end": found.grid.end,
        "interval_ms": found.grid.step,
        "series": found.store.count,
        "samples": found.store.samples,
        "notes": list(found.notes),
        "assumed": list(found.assumed),
        "rules": [_rule(each, found) for each in found.rules],
        "remedies": [_entry(entry, decision) for entry, decision in decided(found.entries)],
    }


def _rule(each: Lives, found: Backtest) -> Plain:
    return {
        "alert": each.rule.name,
        "group": each.rule.group,
        "place": str(each.rule.place),
        "expr": each.rule.expr,
        "fired": len(fired(each)),
        "firing_ms": firing_ms(each, found),
        "alerts": [
            {
                "labels": dict(life.labels),
                "pending_at": life.pending_at,
                "fired_at": life.fired_at,
                "ended_at": life.ended_at,
                "value": repr(life.value),
            }
            for life in each.lives
        ],
        "not_judged": [
            {"start": s.start, "end": s.end, "health": s.health.value, "why": s.why} for s in each.stretches()
        ],
    }


def _entry(entry: Entry, decision: Decision) -> Plain:
    return {
        "at": entry.at,
        "alert": decision.alert,
        "target": decision.target,
        "kind": entry.kind.value,
        "do": decision.do,
        "question": entry.question,
        "reason": entry.reason,
        "incident": entry.incident,
    }
