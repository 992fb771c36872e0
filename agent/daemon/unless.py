"""What a remedy's `unless` objects: also where nobody can say whether it has a result."""

from __future__ import annotations

from collections.abc import Iterable

from agent.alerts import Alerts, Ground
from agent.daemon.asked import Asked
from agent.daemon.origins import Down, Origins
from agent.promql import EvaluationError, evaluate
from agent.rulebook.compiled import compiled
from agent.series import Series


class Unless:
    """Asks the samples of the rules in force."""

    def __init__(self, series: Series, alerts: Alerts, origins: Origins, asked: Asked) -> None:
        self._series = series
        self._alerts = alerts
        self._origins = origins
        self._asked = asked

    def objections(self, texts: Iterable[str], down: Down, ground: Ground, now: int) -> tuple[str, ...]:
        """Those with a result, and those of which nobody can say whether they have one, and why."""
        return tuple(filter(None, (self._objection(text, down, ground, now) for text in texts)))

    def _objection(self, text: str, down: Down, ground: Ground, now: int) -> str:
        """It, with why nobody can say whether it has a result; empty where it has none."""
        expression = compiled(text)
        if silent := self._origins.silent(expression, down):
            return f"{text} (unknown: {', '.join(sorted(silent))} cannot be read)"
        if silent := self._origins.silent(expression, self._asked.unread):
            return f"{text} (unknown: {', '.join(sorted(silent))} was not read yet)"
        lacking = self._series.incomplete & self._origins.originals(expression.names)
        if lacking:
            return f"{text} (unknown: not all series of {', '.join(sorted(lacking))} are kept)"
        try:
            if evaluate(expression, self._series, now):
                return text
        except EvaluationError as error:
            return f"{text} (unknown: {error})"
        unknown = self._alerts.unknown(expression, ground, now)
        return f"{text} (unknown: {unknown})" if unknown else ""
