"""What a rule's results become: alerts by their identity, or series that are recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from agent.alerts.machine import Result
from agent.model import AlertRule, Labels, Point, RecordRule
from agent.promql import EvaluationError
from agent.promql.labels import NAME, render
from agent.templates import Data, Expansion, Template, Unsupported, expand, parse


def identified(
    rule: AlertRule, found: Iterable[Point], external: Labels = (), url: str = ""
) -> Mapping[Labels, Result]:
    """Results by the alert's identity: labels without the name, then the rule's own, then alertname.

    EvaluationError where two results are one alert. `$value` and `$labels` are those of the result,
    `$externalLabels` the `external` ones, `$externalURL` is `url`.
    """
    results: dict[Labels, Result] = {}
    for point in found:
        data = Data(dict(point.labels), point.value, dict(external), url)
        own = [(name, expanded(text, data)) for name, text in rule.labels]
        said = [(name, expanded(text, data)) for name, text in rule.annotations]
        merged = {**data.labels, **{name: each.text for name, each in own}, "alertname": rule.name}
        key = tuple(sorted((k, v) for k, v in merged.items() if k != NAME and v))
        if key in results:
            raise EvaluationError(
                f"two results make one alert, {render(key)}: aggregate, or keep the label that differs"
            )
        texts = tuple((name, each.text) for name, each in said)
        results[key] = Result(point.value, texts, sum(each.cut for _, each in (*own, *said)))
    return results


def recorded(rule: RecordRule, found: Iterable[Point]) -> Mapping[Labels, float]:
    """The series that a recording rule writes, by their labels with the name."""
    results: dict[Labels, float] = {}
    for point in found:
        merged = dict(point.labels) | dict(rule.labels) | {NAME: rule.name}
        key = tuple(sorted((k, v) for k, v in merged.items() if v))
        if key in results:
            raise EvaluationError(f"two results make one series, {render(key)}")
        results[key] = point.value
    return results


def expanded(text: str, data: Data) -> Expansion:
    """A label or annotation as it is shown; a template that is not known here stays as it is."""
    template = _template(text)
    return expand(template, data) if template else Expansion(text)


@lru_cache(maxsize=4096)
def _template(text: str) -> Template | None:
    """None for what stays as it is written."""
    template = parse(text)
    return None if isinstance(template, Unsupported) or template.constant == text else template
