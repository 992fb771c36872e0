"""One rule judged at one instant. Pure, and safe in any thread: all that it needs is in the task."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from msgspec import Struct, field

from agent.alerts.machine import Result
from agent.alerts.obstacles import NONE, SIGHTLESS, Obstacle, obstacle
from agent.alerts.results import identified, recorded
from agent.model import AlertRule, Labels, Rule, RuleHealth
from agent.promql import EvaluationError, Expression, Limits, Store, evaluate, unmatched


class Task(Struct, frozen=True):
    """A rule that is due at `now`; of two tasks of one rule that with the higher number is newer.

    `inherited`: what the recording rules that it reads hand on; `unfed`: these find nothing. `cost_s`: what
    its judgements took of late, None before the first that came to a result.
    """

    number: int
    index: int
    rule: Rule
    expression: Expression
    now: int
    inherited: Obstacle = NONE
    unfed: bool = False
    cost_s: float | None = None


class Finding(Struct, frozen=True):
    """What came of a task; where `health` is OK the results of an alert, or a recording rule's series.
    `gone`: what it reads is not there, though its sources answer."""

    task: Task
    health: RuleHealth
    why: str = ""
    results: Mapping[Labels, Result] = field(default_factory=dict)
    series: Mapping[Labels, float] = field(default_factory=dict)
    gone: bool = False


class Ground(Struct, frozen=True):
    """What rules are judged on. `since`: when the store's data begin, and of some names `later`; `down`:
    names whose source is down; `incomplete`: names of which the store has not all series; `shortened`: names
    of which samples went before their time, and when the newest of these was from.
    """

    store: Store
    since: int | None
    down: frozenset[str] = frozenset()
    external: Labels = ()  # the agent's own labels, for templates
    limits: Limits = field(default_factory=Limits)
    later: Mapping[str, int] = field(default_factory=dict)
    incomplete: frozenset[str] = frozenset()
    shortened: Mapping[str, int] = field(default_factory=dict)

    def obstacle(self, expression: Expression, at: int, *, answered: bool = False) -> Obstacle:
        """What keeps an expression from being judged. `answered`: as `obstacle` has it."""
        lacking = sorted(expression.reads(self.incomplete))
        if lacking:
            words = f"not all series of {', '.join(lacking)} are kept: ottla_series_dropped_samples_total"
            return RuleHealth.FAILING, words
        short = sorted(
            n
            for n in expression.reads(self.shortened.keys())
            if at - _needs(expression, n) < self.shortened[n]
        )
        if short:
            words = f"not all samples of {', '.join(short)} that it needs are kept"
            return RuleHealth.FAILING, f"{words}: ottla_series_shortened_samples_total"
        since = self.since and max(
            [self.since, *(self.later[n] for n in expression.reads(self.later.keys()))]
        )
        return obstacle(expression, self.store, at, since, self.down, answered=answered)


def _needs(expression: Expression, name: str) -> float:
    """How far back it needs all samples of this metric; not at all where it does not read it."""
    by_name = expression.histories
    return max(by_name.get(name, -inf), by_name.get(None, -inf))


def hindered(task: Task, ground: Ground) -> Finding | None:
    """What keeps the rule from being evaluated, if anything: as `judge` would find it."""
    (health, why), gone = task.inherited, task.unfed  # first: it tells the cause
    if health is RuleHealth.OK:
        at = task.now - task.rule.offset_ms
        health, why = ground.obstacle(task.expression, at)
        gone = health in SIGHTLESS and bool(unmatched(task.expression.node, ground.store, at))
    return None if health is RuleHealth.OK else Finding(task, health, why, gone=gone)


def judge(task: Task, ground: Ground) -> Finding:
    """Evaluate the rule as it sees the store at its instant, less its group's offset."""
    if (finding := hindered(task, ground)) is not None:
        return finding
    rule, at, health = task.rule, task.now - task.rule.offset_ms, RuleHealth.OK
    try:
        points = evaluate(task.expression, ground.store, at, ground.limits)
        if rule.limit and len(points) > rule.limit:
            words = f"it has {len(points)} results at once, and its group's limit is {rule.limit}"
            return Finding(task, RuleHealth.STORM, words)
        if isinstance(rule, AlertRule):
            return Finding(task, health, results=identified(rule, points, ground.external))
        return Finding(task, health, series=recorded(rule, points))
    except EvaluationError as e:
        return Finding(task, RuleHealth.FAILING, str(e))
