"""Entries folded to incidents by a transition table: the only state that decides, live or replayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from agent.history.incident import ANSWERS, Answer, Incident, opened, step
from agent.history.phases import VERDICTS, Phase
from agent.model import Entry, Kind

KEPT_MS = 7 * 86_400_000  # closed incidents and counts are remembered as long as the longest limit may look
LOOK_MS = 3_600_000  # so long they may be remembered beyond that: to look for them each time is dear
KEPT_INCIDENTS = 2_000
KEPT_ANYHOW = 500  # the newest, whatever the clock says: one that is ahead for a while must refill no limit
KEPT_VALUES = 5_000  # that we ever set; an older one that still stands somewhere is left to a person


class Start(Struct, frozen=True):
    """One action begun: what rates and cool-downs count."""

    at: int
    alert: str
    target: str


class History(Struct, frozen=True):
    """What the entries amount to."""

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    starts: tuple[Start, ...] = ()
    written: Mapping[tuple[str, str, str], None] = field(default_factory=dict)  # (resource, key, value)
    looked_at: int = 0  # when those that are closed were last looked through
    unverified: int = 0  # verdicts in a row that were not `healed`
    pause: Entry | None = None

    def open(self, alert: str, target: str) -> Incident | None:
        """The open incident of this patient, if there is one."""
        for incident in self.incidents.values():
            same = incident.decision.alert == alert and incident.decision.target == target
            if same and incident.phase is not Phase.CLOSED:
                return incident
        return None

    def standing(self) -> tuple[Incident, ...]:
        """Incidents whose effect may stand, oldest first."""
        return tuple(i for i in self.incidents.values() if i.stands)

    def ended(self, alert: str, target: str) -> int | None:
        """When the newest action on this patient was over, or last moved: the cool-down's start."""
        ends = [
            i.stood_at
            for i in self.incidents.values()
            if i.decision.alert == alert and i.decision.target == target and i.stood_at is not None
        ]
        return max(ends, default=None)

    def without_start(self, incident: Incident) -> History:
        """As it was before the incident's newest start, as far as starts are counted."""
        start = Start(incident.started_at or 0, incident.decision.alert, incident.decision.target)
        return replace(self, starts=tuple(s for s in self.starts if s != start))

    def paused(self, now: int) -> Entry | None:
        """The pause in force, if one is."""
        ended = self.pause is not None and self.pause.until is not None and now >= self.pause.until
        return None if ended else self.pause


def fold(history: History, entry: Entry) -> History:
    """The history after one more entry. Raises ImpossibleTransition."""
    return _after(_copied(history), entry)


def replay(entries: Iterable[Entry], history: History | None = None) -> History:
    """Fold many, in one copy: one for each of the entries of a full journal would take minutes."""
    history = _copied(history or History())
    for entry in entries:
        history = _after(history, entry)
    return history


def _copied(history: History) -> History:
    return replace(history, incidents=dict(history.incidents), written=dict(history.written))


def _after(history: History, entry: Entry) -> History:
    """Takes over the mappings of `history`, which is worth nothing any more."""
    if entry.kind is Kind.OPERATOR:
        return _operator(history, entry)
    if not entry.incident:
        return history
    before = history.incidents.get(entry.incident) or opened(entry)
    incident = step(before, entry)
    _put(history, incident)
    if entry.kind is Kind.STARTED:
        history = _remember_start(history, incident)
    if entry.kind is Kind.REFUSED and before.phase is Phase.ACTING:  # nothing was begun, so nothing counts
        history = history.without_start(before)
    if entry.kind in VERDICTS:
        history = replace(history, unverified=0 if entry.kind is Kind.HEALED else history.unverified + 1)
    return _forget(history, entry.at)


def _put(history: History, incident: Incident) -> None:
    cast(dict[str, Incident], history.incidents)[incident.id] = incident


def _remember_start(history: History, incident: Incident) -> History:
    decision, effect = incident.decision, incident.effect
    written = cast(dict[tuple[str, str, str], None], history.written)
    for change in effect.changes if effect else ():
        if change.new is not None:
            written.pop((change.resource, change.key, change.new), None)
            written[change.resource, change.key, change.new] = None
    while len(written) > KEPT_VALUES:
        del written[next(iter(written))]
    start = Start(incident.at, decision.alert, decision.target)
    return replace(history, starts=(*history.starts, start))


def _operator(history: History, entry: Entry) -> History:
    if entry.question == "pause":
        return replace(history, pause=entry)
    if entry.question == "resume":  # a person who resumes has looked: the breaker closes too
        return replace(history, pause=None, unverified=0)
    asked = history.incidents.get(entry.incident)
    if entry.question in ANSWERS and asked is not None:
        approved = ANSWERS[entry.question]
        of = entry.decision or asked.decision
        answer = Answer(approved, entry.at, entry.reason, of, asked.effect, entry.boot)
        _put(history, replace(asked, answer=answer, answered=True))
    return history


def _forget(history: History, now: int) -> History:
    """Closed incidents and counts older than any limit may look, but for the newest; what is open is never
    forgotten."""
    incidents, before = cast(dict[str, Incident], history.incidents), now - KEPT_MS
    closed = (i for i in incidents.values() if i.phase is Phase.CLOSED)
    excess = max(0, len(incidents) - KEPT_INCIDENTS)
    spare = len(incidents) - KEPT_ANYHOW
    if 0 <= now - history.looked_at < LOOK_MS:
        gone = {i.id for i in islice(closed, excess)}
    else:
        gone = {i.id for n, i in enumerate(closed) if n < excess or (n < spare and i.at < before)}
        history = replace(history, looked_at=now)
    for name in gone:
        del incidents[name]
    spare = len(history.starts) - KEPT_ANYHOW
    if spare <= 0 or history.starts[0].at >= before:
        return history
    starts = enumerate(history.starts)
    return replace(history, starts=tuple(s for n, s in starts if n >= spare or s.at >= before))
