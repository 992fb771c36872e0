"""Which metrics each exporter gave last, over restarts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from agent.sources.exposition import Exposition
from agent.sources.log_saved import Positions

log = logging.getLogger(__name__)
_NAMES = msgspec.json.Decoder(dict[str, frozenset[str]])  # by the exporter's name


class Given:
    """A name rests on the exporter that gave it, also where that is down before a restart and after it."""

    def __init__(self, exporters: Sequence[Exposition], kept: Positions) -> None:
        self._exporters = exporters
        self._kept = kept
        self._saved: bytes | None = None

    async def load(self) -> None:
        """Tell each what it gave in the former life. What cannot be read is told, and found anew."""
        try:
            self._saved = await self._kept.load()
            names = _NAMES.decode(self._saved) if self._saved else {}
        except (OSError, msgspec.DecodeError) as error:
            log.warning("which metrics each exporter gave cannot be read, and is found anew: %s", error)
            return
        for exporter in self._exporters:
            exporter.go_on(names.get(exporter.name, frozenset()))

    async def keep(self) -> None:
        """Save it where it is news. OSError where that fails."""
        value = msgspec.json.encode({each.name: sorted(each.given) for each in self._exporters})
        if value != self._saved:
            await self._kept.save(value)
            self._saved = value
