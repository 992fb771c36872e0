"""Runs promtool's tests, with the results of Prometheus 3 (cmd/promtool/unittest.go)."""

from __future__ import annotations

from collections.abc import Sequence

from agent.model import Rule
from agent.promql import EvaluationError, Expression, compile, query  # noqa: A004  what it does, as in re.compile
from agent.quantities import show_duration
from agent.rehearsal.cases import AlertTest, ExprCase, UnitFile
from agent.rehearsal.rule_passes import Course, RuleFailed
from agent.rehearsal.verdicts import Failure, compare_alerts, compare_samples
from agent.series import Series


def course_of(test: AlertTest, unit: UnitFile, rules: Sequence[Rule]) -> Course:
    """What is evaluated for a test."""
    step = unit.evaluation_interval
    compiled = [(rule, compile(rule.expr, step)) for rule in _ordered(rules, unit.order)]
    ticks = range(test.start, test.start + test.lasts + 1, step)
    external = (test.external_labels, test.external_url)
    return Course(compiled, test.series, test.interval, ticks, external)


def run_alert_test(test: AlertTest, unit: UnitFile, rules: Sequence[Rule]) -> tuple[Failure, ...]:
    """What is not as expected. An evaluation that errs ends the test, as in promtool."""
    step = unit.evaluation_interval
    judged = {case: test.start + case.at // step * step for case in test.alerts}
    try:
        store, alerts = course_of(test, unit, rules).run(sorted(set(judged.values())))
    except RuleFailed as failed:
        at = show_duration(failed.at - test.start)
        return (Failure(failed.rule.place, f"{failed.rule.name} at {at}: {failed}"),)
    found = [compare_alerts(case, alerts[tick], test.start) for case, tick in judged.items()]
    found += [
        _ask(case, expression, store, test.start, unit.fuzzy)
        for case, expression in zip(test.exprs, _asked(test, unit), strict=True)
    ]
    return tuple(failure for failure in found if failure)


def _asked(test: AlertTest, unit: UnitFile) -> list[Expression]:
    return [compile(case.expr, unit.evaluation_interval) for case in test.exprs]


def _ask(case: ExprCase, expression: Expression, store: Series, start: int, fuzzy: bool) -> Failure | None:
    try:
        answer = query(expression, store, start + case.at)
    except EvaluationError as error:
        return Failure(case.place, f"{case.expr.strip()} at {show_duration(case.at)}: {error}")
    if answer.kind not in ("vector", "scalar"):
        return Failure(case.place, f"{case.expr.strip()}: a {answer.kind} is neither vector nor scalar")
    got = [(line.labels, float(line.values[0])) for line in answer.lines]
    return compare_samples(case, got, fuzzy)


def _ordered(rules: Sequence[Rule], order: Sequence[str]) -> list[Rule]:
    """As promtool sorts groups: by the place in `group_eval_order`, those that are not in it first."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(rules, key=lambda rule: places.get(rule.group, 0))
