"""One incident whose effect may stand, with the action that set it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.actions import spec
from agent.daemon.means import Means
from agent.history import Incident
from agent.model import Effect, Entry, Kind


class Standing:
    """Of its incident it knows no more than the ledger: what is recorded it tells from then on."""

    def __init__(self, means: Means, incident: str) -> None:
        self._means = means
        self.id = incident

    @property
    def incident(self) -> Incident:
        """It, as it stands now."""
        return self._means.ledger.history.incidents[self.id]

    @property
    def action(self) -> Any:
        """An Action; its class is known only by its name."""
        return self._means.actions[self.incident.decision.do]

    @property
    def effect(self) -> Effect:
        """What it set, or was about to."""
        effect = self.incident.effect
        assert effect is not None, "what started has an effect"
        return effect

    @property
    def keeps(self) -> bool:
        """Whether what was mended stays."""
        return spec(type(self.action)).keeps

    async def record(
        self, kind: Kind, reason: str, *, question: str = "", still: Callable[[], bool] | None = None
    ) -> None:
        """One more entry of it, if `still` holds at its turn. Raises JournalFailed."""
        entry = Entry(self._means.clock(), kind, reason, self.id, question=question)
        await self._means.ledger.record(entry, still)
