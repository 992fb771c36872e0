"""What was asked for since its source was last read: of that no answer tells yet that it is absent."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from agent.daemon.origins import Down, Origins
from agent.model import Sample
from agent.sources import schedule


class Asked:
    """`unread`: the metrics that a source which answers was not yet asked for, as `part` calls them. Those of
    others need none of this: they are down, or nobody reads them."""

    def __init__(self, origins: Origins) -> None:
        self.unread: Down = frozenset()
        self._origins = origins
        self._at = -inf
        self._heard: frozenset[str] = frozenset()

    def follow(self, former: Asked) -> None:
        """Go on where it was under other rules."""
        self.unread, self._at, self._heard = former.unread, former._at, former._heard

    def ask(self, names: frozenset[str], at: float) -> None:
        """Their sources are asked for these from now on, `at` by the steady clock."""
        if names:
            self.unread |= self._origins.parts(names, self._heard)
            self._at = at

    def hear(self, samples: Iterable[Sample], ran: float) -> None:
        """A reading that began at `ran`: one that had begun before knows of nothing that was asked since."""
        up = (sample.labels for sample in samples if sample.name == schedule.UP and sample.value == 1)
        sources = {dict(labels)["source"] for labels in up}
        self._heard |= sources
        if sources and self.unread and not ran < self._at:
            self.unread -= {each for each in self.unread if each.partition("/")[0] in sources}
