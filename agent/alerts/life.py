"""The alert state machine: pending, firing, kept firing; and when a rule cannot be judged at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.alerts.machine import Result, advance, deadlines
from agent.model import Alert, AlertRule, Labels, Point, RuleHealth
from agent.promql import EvaluationError, Expression, Store, compile, evaluate, finds, unmatched  # noqa: A004  see there
from agent.promql.labels import NAME, render
from agent.quantities import show_duration


@dataclass(slots=True)
class _Rule:
    """One rule and what is active of it."""

    rule: AlertRule
    expression: Expression
    health: RuleHealth = RuleHealth.COLD
    why: str = "not evaluated yet"
    evaluated_at: int | None = None
    active: dict[Labels, Alert] = field(default_factory=dict)

    def next_deadline(self) -> int | None:
        """The earliest deadline after the last evaluation; one before it would wake us for ever."""
        seen = self.evaluated_at
        return min((d for d in deadlines(self.rule, self.active) if seen is None or d > seen), default=None)


class Alerts:
    """The alerts of a set of rules, as Prometheus keeps them, and three more states of a rule.

    * COLD: no sample was ever stored; or a function that misleads on part of its window (rate, increase,
      delta, deriv, changes, resets, the *_over_time but last_, and absent) asks for more history than the
      store has; or a selector finds nothing and the store is younger than that selector's window.
    * BLIND: a selector finds nothing in its whole window, though the store is old enough; absent() asks for
      that and is none, and of the sides of `or` one that finds something is enough.
    * FAILING: the evaluation errs, two results become the same alert, or a source of it is down.

    In none of them is anything begun, promoted or ended: alerts stay as they were, and `for` runs on.
    """

    def __init__(self, rules: Sequence[AlertRule]) -> None:
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
    ) -> None:
        """Judge at `now` the rules that read one of `names` (None: all) or whose deadline has come.

        `since` is when the store's data begin, None without any; `down` the names whose source is down.
        An absence shows only in time: call it with None once an interval.
        """
        for rule in self._rules:
            due = rule.next_deadline()
            if names is None or names & rule.expression.names or (due is not None and due <= now):
                _judge(rule, store, now, since, down)

    def active(self) -> tuple[Alert, ...]:
        """Pending and firing alerts, those of rules that cannot be judged now included."""
        return tuple(alert for rule in self._rules for alert in rule.active.values())

    def health(self, rule: str) -> RuleHealth:
        """Of the rule with this name; of several, the first that is not OK. KeyError for an unknown name."""
        return self._worst(rule).health

    def why(self, rule: str) -> str:
        """What is wrong, in words; empty when the rule is OK."""
        return self._worst(rule).why

    def next_deadline(self, now: int) -> int | None:
        """When `for` or `keep_firing_for` next ends, `now` at the earliest; None if nothing waits."""
        ends = [end for rule in self._rules if (end := rule.next_deadline()) is not None]
        return max(now, min(ends)) if ends else None

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take up alerts from before a restart, active_at as it was; those of unknown rules are left out."""
        for alert in alerts:
            for rule in self._rules:
                if rule.rule.name == alert.rule and set(_own_labels(rule.rule)) <= set(alert.labels):
                    rule.active[alert.labels] = alert
                    break

    def _worst(self, name: str) -> _Rule:
        rules = [rule for rule in self._rules if rule.rule.name == name]
        if not rules:
            raise KeyError(name)
        return next((rule for rule in rules if rule.health is not RuleHealth.OK), rules[0])


def _judge(rule: _Rule, store: Store, now: int, since: int | None, down: frozenset[str]) -> None:
    rule.evaluated_at = now
    rule.health, rule.why = _obstacle(rule.expression, store, now, since, down)
    if rule.health is not RuleHealth.OK:
        return
    try:
        results = _identified(rule.rule, evaluate(rule.expression, store, now))
    except EvaluationError as e:
        rule.health, rule.why = RuleHealth.FAILING, str(e)
        return
    rule.active = advance(rule.rule, rule.active, results, now)


def _obstacle(
    expression: Expression, store: Store, now: int, since: int | None, down: frozenset[str]
) -> tuple[RuleHealth, str]:
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


def _identified(rule: AlertRule, points: Sequence[Point]) -> Mapping[Labels, Result]:
    """Results by the alert's identity: labels without the name, then the rule's own, then alertname."""
    own = dict(_own_labels(rule))
    results: dict[Labels, Result] = {}
    for point in points:
        merged = {k: v for k, v in (dict(point.labels) | own).items() if k != NAME and v}
        labels = tuple(sorted(merged.items()))
        if labels in results:
            raise EvaluationError(
                f"two results make one alert, {render(labels)}: aggregate, or keep the label that differs"
            )
        results[labels] = Result(point.value)
    return results


def _own_labels(rule: AlertRule) -> Labels:
    return (*rule.labels, ("alertname", rule.name))
