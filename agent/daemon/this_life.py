"""What only this life of the agent knows of its incidents, until nothing of them stands."""

from __future__ import annotations

from agent.daemon.evidence import Evidence
from agent.daemon.means import Means
from agent.model import Refusal

_CUT_SHORT = Refusal("the instant of effect", "its start was cut short, and nothing was sent")


class ThisLife:
    """By incident, whoever carries it: a carrier may end with the journal, and what it knew must not.

    `undo_asked`: why, where somebody asked for it.
    """

    def __init__(self, means: Means) -> None:
        self.undo_asked: dict[str, str] = {}
        self._means = means
        self._evidence: dict[str, Evidence] = {}
        self._taken_back: dict[str, Refusal] = {}  # what cannot be written down
        self._former: frozenset[str] | None = None  # incidents of which a former life may have sent something

    def standing(self) -> tuple[str, ...]:
        """The incidents of which something may stand."""
        return tuple(i.id for i in self._means.ledger.history.standing())

    def begin(self) -> None:
        """What stands now is of a former life."""
        self._former = frozenset(self.standing())

    def begin_step(self, incident: str) -> None:
        """A step of it starts in this life, though the incident may be older."""
        self.forget(incident)  # the step before, whose end may have been written though it was said to fail
        if self._former is not None:
            self._former -= {incident}

    def end_start(self, incident: str, taken_back: Refusal | None) -> None:
        """Its attempt is over, whether or not it started. `taken_back`: why it was, if so."""
        if taken_back is not None:
            self._taken_back[incident] = taken_back
        self.forget(incident)

    def evidence(self, incident: str, *, resumed: bool) -> Evidence:
        """What tells of its effect. Where there is none yet, that nothing was sent, if it was written in this
        life to have started, and nobody went on: that it was taken back could not be written, or that it
        started was said to have failed."""
        if (known := self._evidence.get(incident)) is not None:
            return known
        evidence = self._evidence[incident] = Evidence(self._means, incident)
        if resumed and self._former is not None and incident not in self._former:
            evidence.refused = self._taken_back.get(incident, _CUT_SHORT)
        return evidence

    def forget(self, incident: str) -> None:
        """Where nothing stands. That a start was taken back may not have been written: then it stands."""
        if incident not in self.standing():
            self.undo_asked.pop(incident, None)
            self._evidence.pop(incident, None)
            self._taken_back.pop(incident, None)
