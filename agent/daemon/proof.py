"""Whether an action helped or did harm, as far as samples prove it: an old sample proves nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial

from agent.daemon.freshness import NEVER, Freshness, Taken
from agent.daemon.origins import Down, Origins
from agent.model import Sample
from agent.promql import EvaluationError, Expression, evaluate
from agent.rulebook.compiled import readable
from agent.series import Series


class Proof:
    """From which instant the data are that each metric's newest sample rests on, and what that proves."""

    def __init__(self, series: Series, origins: Origins) -> None:
        self._series = series
        self._origins = origins
        self._newest: dict[str, Taken] = {}  # by name

    def follow(self, former: Proof) -> None:
        """Go on where it was under other rules."""
        self._newest = former._newest

    def take(self, samples: Sequence[Sample], ran: float, kept: frozenset[str]) -> None:
        """A reading that began at `ran`, of which the store kept these metrics."""
        for sample in samples:
            if sample.at > self._newest.get(sample.name, NEVER).at and sample.name in kept:
                self._newest[sample.name] = Taken(sample.at, ran)

    def record(self, name: str, now: int) -> None:
        """What a rule recorded at `now`: it is no fresher than the oldest of what it rests on."""
        rests_on = [self._newest.get(each, NEVER) for each in self._origins.recorded[name]]
        at = min((each.at for each in rests_on), default=now)
        self._newest[name] = Taken(at, min((each.ran for each in rests_on), default=math.inf))

    def forget(self, names: Iterable[str]) -> None:
        """The store took back the newest samples of these."""
        for name in names:
            self._newest.pop(name, None)

    def begin_anew(self) -> None:
        """How old anything is that was seen nobody can say any more."""
        self._newest.clear()

    def holds(self, expr: str, fresh: Freshness, down: Down, now: int) -> bool:
        """A result that rests on samples taken after the action."""
        expression = readable(expr)
        if expression is None or expression.nameless:  # which samples it would rest on nobody can say
            return False
        new = [self._is_fresh(name, fresh, now) for name in expression.names]
        return not self._origins.silent(expression, down) and all(new) and self._has_result(expression, now)

    def is_worse(self, expr: str, fresh: Freshness, now: int, ran: float) -> bool:
        """A result of nothing but what was after it began: what was so before is not its work."""
        expression = readable(expr)
        if expression is None or not self.lies_after(expression, fresh, now, ran):
            return False
        return self._has_result(expression, now)

    def lies_after(self, expression: Expression, fresh: Freshness, now: int, ran: float) -> bool:
        """Whether all that it looks at `now` is from after the effect began."""
        is_fresh = partial(self._is_fresh, fresh=fresh, now=now)
        return self._origins.lies_after(expression, fresh.lasted(ran), is_fresh)

    def _is_fresh(self, name: str, fresh: Freshness, now: int) -> bool:
        return fresh.has(name, self._newest.get(name, NEVER), now)

    def _has_result(self, expression: Expression, now: int) -> bool:
        try:
            return bool(evaluate(expression, self._series, now))
        except EvaluationError:
            return False  # what cannot be judged neither heals nor condemns
