"""Reads what promtool's tests and our stories share: the series given, and the alerts expected."""

from __future__ import annotations

from collections import Counter

from agent.model import labels_of
from agent.rehearsal.cases import AlertCase, ExpectedAlert, ExpectedSample, ExprCase, GivenSeries
from agent.rehearsal.readers import any_text, metric, no_histogram, number, values
from agent.rulebook.expressions import promql
from agent.yaml_marks import Form
from agent.yaml_marks.readers import duration, pairs

MOST_VALUES = 2_000_000  # of all series of one test


def read_series(form: Form) -> tuple[GivenSeries, ...]:
    """`input_series`. A series that is given twice would hide its own samples."""
    found = []
    for one in form.forms("input_series", "a series"):
        labels = one.get("series", metric, (), required=True)
        found.append(GivenSeries(labels, one.get("values", values, ())))
        if labels and Counter(series.labels for series in found)[labels] > 1:
            one.complain("this series is given above already", key="series")
        one.close()
    if sum(len(series.values) for series in found) > MOST_VALUES:
        form.complain(f"more than {MOST_VALUES} values in one test", key="input_series")
    return tuple(found)


def read_alert_cases(form: Form) -> tuple[AlertCase, ...]:
    """`alert_rule_test`: of one name at one instant, everything that fires."""
    return tuple(_alert_case(case) for case in form.forms("alert_rule_test", "an alert test"))


def _alert_case(form: Form) -> AlertCase:
    name = form.get("alertname", any_text, "", required=True)
    case = AlertCase(
        at=form.get("eval_time", duration, 0),
        alertname=name,
        expected=tuple(_alert(alert, name) for alert in form.forms("exp_alerts", "an expected alert")),
        place=form.place,
    )
    form.close()
    return case


def _alert(form: Form, name: str) -> ExpectedAlert:
    labels = dict(form.get("exp_labels", pairs, ())) | {"alertname": name}
    annotations = form.get("exp_annotations", pairs, ())
    form.close()
    return ExpectedAlert(labels_of({k: v for k, v in labels.items() if v}), annotations, form.place)


def read_expr_cases(form: Form) -> tuple[ExprCase, ...]:
    """`promql_expr_test`: the result of one expression at one instant."""
    found = []
    for case in form.forms("promql_expr_test", "an expression's test"):
        samples = tuple(_sample(sample) for sample in case.forms("exp_samples", "an expected sample"))
        at, expr = case.get("eval_time", duration, 0), case.get("expr", promql, "", required=True)
        found.append(ExprCase(at, expr, samples, case.place))
        case.close()
    return tuple(found)


def _sample(form: Form) -> ExpectedSample:
    form.get("histogram", no_histogram, None)
    sample = ExpectedSample(form.get("labels", metric, ()), form.get("value", number, 0.0), form.place)
    form.close()
    return sample
