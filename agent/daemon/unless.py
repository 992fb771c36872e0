"""What a remedy's `unless` objects: also where nobody can say whether it has a result."""

from __future__ import annotations

from collections.abc import Iterable

from agent.alerts import Alerts, Ground
from agent.daemon.asked import Asked
from agent.daemon.origins import Down, Origins
from agent.promql import BadExpression, EvaluationError, Expression, evaluate
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
        try:
            expression = compiled(text)
            unknown = self._unread(expression, down)
            if not unknown and evaluate(expression, self._series, now):
                return text
            unknown = unknown or self._alerts.unknown(expression, ground, now)
        except (BadExpression, EvaluationError) as error:
            unknown = str(error)
        return f"{text} (unknown: {unknown})" if unknown else ""

    def _unread(self, expression: Expression, down: Down) -> str:
        """What of that which it reads is not there to be read; empty where all is."""
        if silent := self._origins.silent(expression, down):
            return f"{', '.join(sorted(silent))} cannot be read"
        if silent := self._origins.silent(expression, self._asked.unread):
            return f"{', '.join(sorted(silent))} was not read yet"
        lacking = self._series.incomplete & self._origins.originals(expression.names)
        return f"not all series of {', '.join(sorted(lacking))} are kept" if lacking else ""
