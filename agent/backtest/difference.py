"""What a change of rules would have done differently on the same history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest

from agent.backtest.lives import Life, Lives
from agent.backtest.run import Backtest
from agent.backtest.words import Plain, end_of, long, named, shown, told, when
from agent.model import Kind, Labels, RuleHealth

_Key = tuple[str, str, Kind, str, str]  # alert, target, kind, what to do, question


@dataclass(frozen=True, slots=True)
class Change:
    """One difference of one alert; `at` is when, ms, in the history (of the new rules, where both have it).

    `kind`: rule, more, less, earlier, later, longer, shorter, judged, decision added, decision gone.
    """

    alert: str
    at: int
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Difference:
    """All of them, by alert and time."""

    start: int
    end: int
    changes: tuple[Change, ...]

    def text(self) -> str:
        """For people: `+` is new, `-` is gone, `~` is at another time."""
        head = f"{when(self.start)} to {when(self.end)} UTC: "
        if not self.changes:
            return f"{head}the same alerts, actions and refusals"
        lines = [f"{head}{len(self.changes)} differences"]
        for change in self.changes:
            sign = "+" if change.kind in ("more", "decision added") else "-" if change.kind in _GONE else "~"
            lines.append(f"{sign} {change.alert}: {change.words}")
        return "\n".join(lines)

    def plain(self) -> Plain:
        """For programs."""
        return {"start": self.start, "end": self.end, "changes": [asdict(each) for each in self.changes]}


_GONE = ("less", "decision gone")


def difference(old: Backtest, new: Backtest) -> Difference:
    """Alerts by name and labels, decisions by patient and kind; of what came at another time: by how much."""
    changes = [*_rules(old, new), *_decisions(old, new)]
    before, after = _by_name(old), _by_name(new)
    for name in before.keys() | after.keys():
        changes += _lives(name, (old, before.get(name, [])), (new, after.get(name, [])))
        if name in before and name in after:
            changes += _judged(name, (old, before[name]), (new, after[name]))
    order = sorted(changes, key=lambda change: (change.alert, change.at, change.kind, change.words))
    return Difference(new.grid.start, new.grid.end, tuple(order))


def _by_name(found: Backtest) -> Mapping[str, list[Lives]]:
    named: dict[str, list[Lives]] = defaultdict(list)
    for each in found.rules:
        named[each.rule.name].append(each)
    return dict(named)


def _rules(old: Backtest, new: Backtest) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    for name in after.keys() - before.keys():
        yield Change(name, new.grid.start, "rule", "is a new rule")
    for name in before.keys() - after.keys():
        yield Change(name, new.grid.start, "rule", "is no rule any more")


def _lives(
    name: str, old: tuple[Backtest, Sequence[Lives]], new: tuple[Backtest, Sequence[Lives]]
) -> Iterator[Change]:
    """What fired: spans of the same labels that overlap are the same alert."""
    before, after = _spans(*old), _spans(*new)
    for labels in before.keys() | after.keys():
        who = named(labels)
        for was, now in _pairs(before.get(labels, []), after.get(labels, [])):
            if was is None and now is not None:
                yield Change(name, now[0], "more", f"{who} fires {_span(now)}".strip())
            elif now is None and was is not None:
                yield Change(name, was[0], "less", f"{who} does not fire {_span(was)}".strip())
            elif was is not None and now is not None:
                yield from _moved(name, who, was, now)


def _spans(found: Backtest, rules: Sequence[Lives]) -> Mapping[Labels, list[tuple[int, int]]]:
    spans: dict[Labels, list[tuple[int, int]]] = defaultdict(list)
    for life in (life for each in rules for life in each.lives if life.fired_at is not None):
        spans[life.labels].append((_fired(life), end_of(life, found)))
    return {labels: sorted(its) for labels, its in spans.items()}


def _fired(life: Life) -> int:
    assert life.fired_at is not None
    return life.fired_at


_Span = tuple[int, int]


def _pairs(old: list[_Span], new: list[_Span]) -> Iterator[tuple[_Span | None, _Span | None]]:
    """Each span with the one that it overlaps, else alone; both are in order of time."""
    left, right = list(old), list(new)
    while left and right:
        was, now = left[0], right[0]
        if was[1] < now[0]:
            yield left.pop(0), None
        elif now[1] < was[0]:
            yield None, right.pop(0)
        else:
            yield left.pop(0), right.pop(0)
    yield from ((each, None) for each in left)
    yield from ((None, each) for each in right)


def _moved(name: str, who: str, was: _Span, now: _Span) -> Iterator[Change]:
    if was[0] != now[0]:
        kind = "later" if now[0] > was[0] else "earlier"
        words = f"{who} fires {long(abs(now[0] - was[0]))} {kind}, at {when(now[0])}".strip()
        yield Change(name, now[0], kind, words)
    if was[1] != now[1]:
        kind = "longer" if now[1] > was[1] else "shorter"
        words = f"{who} fires until {when(now[1])}, {long(abs(now[1] - was[1]))} {kind}".strip()
        yield Change(name, now[1], kind, words)


def _judged(
    name: str, old: tuple[Backtest, Sequence[Lives]], new: tuple[Backtest, Sequence[Lives]]
) -> Iterator[Change]:
    for health in (RuleHealth.COLD, RuleHealth.BLIND, RuleHealth.FAILING, RuleHealth.STORM):
        was, now = (_time_of(rules, health) for _, rules in (old, new))
        if was != now:
            words = f"{health} for {long(now)} in all, before for {long(was)}"
            yield Change(name, new[0].grid.start, "judged", words)


def _time_of(rules: Sequence[Lives], health: RuleHealth) -> int:
    return sum(s.end - s.start for each in rules for s in each.stretches() if s.health is health)


def _decisions(old: Backtest, new: Backtest) -> Iterator[Change]:
    """Per patient and kind in the order of time: the first with the first, and what is left over."""
    before, after = _by_key(old), _by_key(new)
    for key in before.keys() | after.keys():
        for was, now in zip_longest(before.get(key, []), after.get(key, [])):
            if was is None:
                yield Change(key[0], now[0], "decision added", f"{when(now[0])} {now[1]}")
            elif now is None:
                yield Change(key[0], was[0], "decision gone", f"{when(was[0])} {was[1]}")
            elif was[0] != now[0]:
                kind = "later" if now[0] > was[0] else "earlier"
                words = f"{now[1]}: {long(abs(now[0] - was[0]))} {kind}, at {when(now[0])}"
                yield Change(key[0], now[0], kind, words)


def _by_key(found: Backtest) -> Mapping[_Key, list[tuple[int, str]]]:
    keyed: dict[_Key, list[tuple[int, str]]] = defaultdict(list)
    for entry, decision in shown(found.entries):
        key = (decision.alert, decision.target, entry.kind, decision.do, entry.question)
        keyed[key].append((entry.at, told(entry, decision)))
    return dict(keyed)


def _span(span: _Span) -> str:
    return f"from {when(span[0])} to {when(span[1])}"
