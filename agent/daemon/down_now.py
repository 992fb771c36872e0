"""What does not answer now, as the sources themselves tell it."""

from __future__ import annotations

from collections.abc import Iterable

from agent.daemon.origins import Down, part
from agent.model import Sample
from agent.sources import schedule


class DownNow:
    """`unread`: the sources that were not read yet; what the store holds of them may be of a former life."""

    def __init__(self, unread: Iterable[str]) -> None:
        self._down = set(unread)

    def all(self) -> Down:
        """Whole sources, and of others what they could not read."""
        return frozenset(self._down)

    def hear(self, samples: Iterable[Sample]) -> Down:
        """Take what a reading tells: which of them have gone down by it, or come up."""
        before = self.all()
        for sample in samples:
            if sample.name in (schedule.UP, schedule.UNREAD):
                self._look_at(sample)
        return before ^ self._down

    def _look_at(self, sample: Sample) -> None:
        """Whether a source was read, or that a metric of it was not."""
        labels = dict(sample.labels)
        if sample.name == schedule.UP:
            what, down = labels["source"], not sample.value
        else:
            what, down = part(labels["source"], labels["metric"]), sample.value == 1
        (self._down.add if down else self._down.discard)(what)
