"""The alert state machine: pending, firing, kept firing; and when a rule cannot be judged at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.alerts.machine import advance, deadlines
from agent.alerts.results import identified, recorded
from agent.model import Alert, AlertRule, Labels, RecordRule, Rule, RuleHealth, RuleNow, Sample
from agent.promql import EvaluationError, Expression, Store, compile, evaluate, finds, unmatched  # noqa: A004  see there
from agent.promql.labels import NAME
from agent.promql.vectors import STALE
from agent.quantities import show_duration


@dataclass(slots=True)
class _Rule:
    """One rule and what is active of it."""

    rule: Rule
    expression: Expression
    health: RuleHealth = RuleHealth.COLD
    why: str = "not evaluated yet"
    evaluated_at: int | None = None
    active: dict[Labels, Alert] = field(default_factory=dict)
    written: frozenset[Labels] = frozenset()  # the series that a recording rule wrote last

    def next_deadline(self) -> int | None:
        """The earliest deadline after the last evaluation; one before it would wake us for ever."""
        if isinstance(self.rule, RecordRule):
            return None
        seen = self.evaluated_at
        return min((d for d in deadlines(self.rule, self.active) if seen is None or d > seen), default=None)


class Alerts:
    """The alerts of a set of rules, as Prometheus keeps them, and four more states of a rule.

    * COLD: no sample was ever stored; or a function that misleads on part of its window (rate, increase,
      delta, deriv, changes, resets, the *_over_time but last_, and absent) asks for more history than the
      store has; or a selector finds nothing and the store is younger than that selector's window.
    * BLIND: a selector finds nothing in its whole window, though the store is old enough; absent() asks for
      that and is none, and of the sides of `or` one that finds something is enough.
    * FAILING: the evaluation errs, two results become the same alert, or a source of it is down.
    * STORM: more results than the limit of the rule's group.

    In none of them is anything begun, promoted or ended: alerts stay as they were, and `for` runs on.
    Recording rules stand among the others, in the order of the files: what they give is there for the next.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Compiles every rule; BadExpression where one is not PromQL (a rule book has checked before)."""
        self._rules = [_Rule(rule, compile(rule.expr)) for rule in rules]
        self.names = frozenset[str]().union(*(r.expression.names for r in self._rules))

    def evaluate(
        self,
        store: Store,
        now: int,
        names: frozenset[str] | None = None,
        since: int | None = None,
        down: frozenset[str] = frozenset(),
        record: Callable[[Sequence[Sample]], object] = lambda _: None,
    ) -> None:
        """Judge at `now` the rules that read one of `names` (None: all) or whose deadline has come.

        `record` puts what recording rules give into the store; rules that read it are judged then.

        `since` is when the store's data begin, None without any; `down` the names whose source is down.
        An absence shows only in time: call it with None once an interval.
        """
        for rule in self._rules:
            due = rule.next_deadline()
            if names is None or _reads(rule, names) or (due is not None and due <= now):
                samples = _judge(rule, store, now, since, down)
                if samples:
                    record(samples)
                    names = None if names is None else names | {rule.rule.name}

    def active(self) -> tuple[Alert, ...]:
        """Pending and firing alerts, those of rules that cannot be judged now included."""
        return tuple(alert for rule in self._rules for alert in rule.active.values())

    def health(self, rule: str) -> RuleHealth:
        """Of the rule with this name; of several, the first that is not OK. KeyError for an unknown name."""
        return self._worst(rule).health

    def why(self, rule: str) -> str:
        """What is wrong, in words; empty when the rule is OK."""
        return self._worst(rule).why

    def each(self) -> tuple[RuleNow, ...]:
        """Every rule and what came of it, in the order of the files."""
        return tuple(
            RuleNow(r.rule, r.health, r.why, tuple(r.active.values()), r.evaluated_at) for r in self._rules
        )

    def next_deadline(self, now: int) -> int | None:
        """When `for` or `keep_firing_for` next ends, `now` at the earliest; None if nothing waits."""
        ends = [end for rule in self._rules if (end := rule.next_deadline()) is not None]
        return max(now, min(ends)) if ends else None

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take up alerts from before a restart, active_at as it was; those of unknown rules are left out."""
        for alert in alerts:
            for rule in self._rules:
                if isinstance(rule.rule, AlertRule) and _may_be_of(rule.rule, alert):
                    rule.active[alert.labels] = alert
                    break

    def _worst(self, name: str) -> _Rule:
        rules = [each for each in self._rules if each.rule.name == name and isinstance(each.rule, AlertRule)]
        if not rules:
            raise KeyError(name)
        return next((rule for rule in rules if rule.health is not RuleHealth.OK), rules[0])


def _reads(rule: _Rule, names: frozenset[str]) -> bool:
    return rule.expression.nameless or bool(names & rule.expression.names)


def _judge(rule: _Rule, store: Store, now: int, since: int | None, down: frozenset[str]) -> Sequence[Sample]:
    """Judge one rule; what it records, if that is its kind."""
    at = now - rule.rule.offset_ms
    rule.evaluated_at = now
    rule.health, rule.why = obstacle(rule.expression, store, at, since, down)
    if rule.health is not RuleHealth.OK:
        return ()
    try:
        points = evaluate(rule.expression, store, at)
        if rule.rule.limit and len(points) > rule.rule.limit:
            rule.health, limit = RuleHealth.STORM, rule.rule.limit
            rule.why = f"it has {len(points)} results at once, and its group's limit is {limit}"
        elif isinstance(rule.rule, AlertRule):
            rule.active = advance(rule.rule, rule.active, identified(rule.rule, points), now)
        else:
            return _samples(rule, recorded(rule.rule, points), now)
    except EvaluationError as e:
        rule.health, rule.why = RuleHealth.FAILING, str(e)
    return ()


def _samples(rule: _Rule, found: Mapping[Labels, float], now: int) -> Sequence[Sample]:
    """What a recording rule writes: its results, and the end of series that it does not give any more."""
    gone = dict.fromkeys(rule.written - found.keys(), STALE)
    rule.written = frozenset(found)
    return [
        Sample(rule.rule.name, tuple(pair for pair in labels if pair[0] != NAME), now, value)
        for labels, value in (dict(found) | gone).items()
    ]


def obstacle(
    expression: Expression, store: Store, now: int, since: int | None, down: frozenset[str]
) -> tuple[RuleHealth, str]:
    """What keeps an expression from being judged at `now`, and why; OK and nothing where it can be."""
    silent = sorted(expression.names & down)
    if silent:
        return RuleHealth.FAILING, f"its source is down: {', '.join(silent)}"
    if since is None:
        return RuleHealth.COLD, "no sample has come yet"
    if now - since < expression.history_ms:
        needs, has = show_duration(expression.history_ms), show_duration(max(0, now - since))
        return RuleHealth.COLD, f"it needs {needs} of samples and there are {has}"
    young = [s for s in expression.selectors if now - since < s.window_ms + s.offset_ms]
    awaited = [s for s in young if not finds(s, store, now)]
    if awaited:
        return RuleHealth.COLD, f"nothing has matched {', '.join(map(str, awaited))} yet"
    missing = unmatched(expression.node, store, now)
    if missing:
        return RuleHealth.BLIND, f"nothing matches {', '.join(map(str, missing))}"
    return RuleHealth.OK, ""


def _may_be_of(rule: AlertRule, alert: Alert) -> bool:
    """Whether an alert from before is this rule's: by its name and those labels that are no templates."""
    own = {pair for pair in rule.labels if "{{" not in pair[1]} | {("alertname", rule.name)}
    return rule.name == alert.rule and own <= set(alert.labels)
