"""Which log lines are the evidence of what people ask about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from agent.model import Alert, AlertRule
from agent.promql import compile as compiled
from agent.surface import Plain

Lines = Callable[[Collection[str]], Sequence[Plain]]  # metrics → the last lines behind them


def no_lines(_: Collection[str]) -> Sequence[Plain]:
    """Where no log is read."""
    return ()


def behind(
    subject: str,
    incidents: Iterable[Plain],
    rules: Sequence[AlertRule],
    active: Iterable[Alert],
    lines: Lines,
) -> list[Plain]:
    """The lines behind the log metrics that the rules of a subject read; of a target its own only."""
    named = {subject} | {incident["alert"] for incident in incidents}
    its = {alert.rule for alert in active if subject in dict(alert.labels).values()}
    read = [rule for rule in rules if rule.name in named | its]
    metrics = {name for rule in read for name in compiled(rule.expr).names if name.startswith("log_")}
    if not metrics:
        return []
    found = list(lines(metrics))
    own = [line for line in found if subject in line["labels"].values()]
    return own or found
