"""The series of the agent's former life: those that nobody tells any more end in this one, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from agent.daemon.origins import OF_EACH, Down, Origins
from agent.model import Labels, Sample
from agent.promql.labels import NAME, without
from agent.promql.vectors import NEVER, NEVER_BEFORE
from agent.series import Series
from agent.sources import schedule

# A source's first reading may lack what it works out from two, as the mean of what happened in between.
_READINGS = 2


class FormerSeries:
    """What a snapshot brought back and is not told yet. A source remembers what it gave in its own life only:
    the series that vanished about the restart nobody else would end."""

    def __init__(self, series: Series) -> None:
        self._left: dict[str, set[Labels]] = {}
        self._readings = Counter[str]()  # that succeeded, by source
        for name in series.names:
            newest = series.latest(name, (), NEVER_BEFORE, NEVER - 1)
            pairs = zip(newest.rows.labels, newest.found.tolist(), strict=True)
            self._left[name] = {without(labels, {NAME}) for labels, alive in pairs if alive}

    def hear(self, samples: Iterable[Sample]) -> None:
        """What this life tells, of sources and of rules that record."""
        if not self._left:
            return
        for sample in samples:
            if sample.name == schedule.UP and sample.value:
                self._readings[dict(sample.labels)["source"]] += 1
            self._left.get(sample.name, set()).discard(sample.labels)

    def gone(self, origins: Origins, down: Down, judged: Callable[[str], bool]) -> list[tuple[str, Labels]]:
        """Those of which it is known by now that they are no more, once each. `judged`: whether the rules
        that record a name have all been judged in this life."""
        if not self._left:
            return []
        read = frozenset(name for name, count in self._readings.items() if count >= _READINGS) - down
        gone = []
        for name, left in list(self._left.items()):
            if name in OF_EACH:
                known = [labels for labels in left if dict(labels).get("source") in read]
            elif name in origins.recorded:
                known = list(left) if judged(name) else []
            else:
                known = list(left) if origins.was_read(name, read, down) else []
            gone += [(name, labels) for labels in known]
            left.difference_update(known)
            if not left:
                del self._left[name]
        return gone
