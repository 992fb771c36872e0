"""Entries folded to incidents by a transition table: the only state that decides, live or replayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import islice
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from agent import proposal
from agent.model import Boot, Called, Decision, Effect, Entry, Kind

KEPT_MS = 7 * 86_400_000  # closed incidents and counts are remembered as long as the longest limit may look
LOOK_MS = 3_600_000  # so long they may be remembered beyond that: to look for them each time is dear
KEPT_INCIDENTS = 2_000
KEPT_ANYHOW = 500  # the newest, whatever the clock says: one that is ahead for a while must refill no limit
KEPT_VALUES = 5_000  # that we ever set; an older one that still stands somewhere is left to a person


class Phase(StrEnum):
    """Where one incident stands."""

    NEW = "new"
    REFUSED = "refused"  # wanted, and told no
    PROPOSED = "proposed"  # to a person
    WAITING = "waiting"  # for a claim
    ACTING = "acting"  # an effect is written down; perhaps it stands, perhaps not
    VERIFYING = "verifying"  # it stands; does it help?
    HELD = "held"  # it helped, and stands until its lease ends
    UNDOING = "undoing"  # it must go
    SETTLED = "settled"  # nothing of this step stands; the next step, or the end
    ESCALATED = "escalated"  # a person is needed
    CLOSED = "closed"


_WANTED = {
    Kind.REFUSED: Phase.REFUSED,
    Kind.PROPOSED: Phase.PROPOSED,
    Kind.WAITING: Phase.WAITING,
    Kind.STARTED: Phase.ACTING,
    Kind.ESCALATED: Phase.ESCALATED,
    Kind.WITHDRAWN: Phase.CLOSED,
}
TRANSITIONS: Mapping[Phase, Mapping[Kind, Phase]] = {
    Phase.NEW: _WANTED,
    Phase.REFUSED: _WANTED,
    Phase.PROPOSED: _WANTED,
    Phase.WAITING: _WANTED,
    Phase.ACTING: {
        Kind.REFUSED: Phase.REFUSED,  # at the instant of effect: nothing was begun
        Kind.DONE: Phase.VERIFYING,
        Kind.FAILED: Phase.UNDOING,  # it may stand in part: undo finds out
        Kind.WORSE: Phase.UNDOING,
        Kind.UNDOING: Phase.UNDOING,  # a person said so, or its lease ended
        Kind.UNDONE: Phase.SETTLED,
    },
    Phase.VERIFYING: {
        Kind.HEALED: Phase.HELD,
        Kind.NO_BETTER: Phase.UNDOING,
        Kind.WORSE: Phase.UNDOING,
        Kind.UNDOING: Phase.UNDOING,
        Kind.UNDONE: Phase.SETTLED,  # as it is where the journal could not be written before
    },
    Phase.HELD: {
        Kind.UNDOING: Phase.UNDOING,
        Kind.UNDONE: Phase.SETTLED,
        Kind.WORSE: Phase.UNDOING,
        Kind.CLOSED: Phase.CLOSED,
    },
    Phase.UNDOING: {Kind.UNDONE: Phase.SETTLED, Kind.FAILED: Phase.UNDOING},
    Phase.SETTLED: {**_WANTED, Kind.CLOSED: Phase.CLOSED},
    Phase.ESCALATED: {Kind.CLOSED: Phase.CLOSED},
    Phase.CLOSED: {},
}
STANDING = frozenset({Phase.ACTING, Phase.VERIFYING, Phase.HELD, Phase.UNDOING})
VERDICTS = frozenset({Kind.HEALED, Kind.NO_BETTER, Kind.WORSE, Kind.FAILED})


class ImpossibleTransition(RuntimeError):
    """An entry that its incident's phase does not allow: a bug, or a journal that was tampered with."""


ANSWERS = {"approve": True, "deny": False}  # a person's verbs


class Answer(Struct, frozen=True):
    """What a person said to a proposal: to this decision and this effect, and to no other."""

    approved: bool
    at: int
    words: str  # who, and why
    decision: Decision
    effect: Effect | None = None  # as it was shown

    def allows(self, plan: Effect) -> bool:
        """Whether the plan is no more than what was approved."""
        return self.approved and self.effect is not None and proposal.covers(self.effect, plan)

    def is_for(self, decision: Decision) -> bool:
        """Whether it is still the same that was asked. Who denied it need not be asked again since it would
        stand for another time, or be judged otherwise."""
        return (
            same_step(self.decision, decision) if self.approved else _sets(self.decision) == _sets(decision)
        )


def same_step(one: Decision, other: Decision) -> bool:
    """Whether two decisions would do the same."""
    return _does(one) == _does(other)


def _does(decision: Decision) -> tuple[object, ...]:
    return *_sets(decision), decision.lease_ms, decision.verify, decision.worse_if


def _sets(decision: Decision) -> tuple[object, ...]:
    return decision.step, decision.do, decision.args, decision.target


class Incident(Struct, frozen=True):
    """One problem of one patient, from the first decision to the end."""

    id: str
    phase: Phase
    decision: Decision
    opened_at: int
    at: int  # of the newest entry
    reason: str  # of the newest entry
    question: str = ""
    effect: Effect | None = None  # what was set; where it is only proposed, what would be
    claim: int | None = None
    started_at: int | None = None
    done_at: int | None = None
    acted_at: int | None = None  # when the newest entry told of what stood
    taken_back_at: int | None = None  # when its start was refused before anything was sent
    until: int | None = None
    boot: Boot | None = None  # as `started_at`
    verdict: Kind | None = None
    answer: Answer | None = None  # used up by the start that it allowed
    claim_epoch: int | None = None  # as an entry has it

    @property
    def claimed(self) -> Called | None:
        """Its claim, so that no other one is taken for it where its entries tell that."""
        if self.claim is None or self.claim_epoch is None:
            return self.claim
        return self.claim, self.claim_epoch

    @property
    def answers(self) -> tuple[str, ...]:
        """What a person may say now: what was denied may be approved after all, and what was approved, and
        has not begun, be denied."""
        if self.phase is Phase.PROPOSED:
            return tuple(ANSWERS)
        if self.answer is None or self.phase not in (Phase.REFUSED, Phase.WAITING):
            return ()
        return ("approve",) if self.phase is Phase.REFUSED and not self.answer.approved else ("deny",)

    @property
    def proposal(self) -> str:
        """The name by which a person answers; empty where nothing is asked."""
        return proposal.name(self.decision, self.effect) if self.answers else ""

    @property
    def why_undone(self) -> str:
        """Of one that is UNDOING: what its verdict says, or whoever else wanted it."""
        wanted = self.verdict in (None, Kind.HEALED)
        return self.reason if wanted else f"{self.verdict}: {self.reason}"

    @property
    def stands(self) -> bool:
        """Whether an effect of it may stand in the world."""
        return self.phase in STANDING


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
            i.acted_at
            for i in self.incidents.values()
            if i.decision.alert == alert and i.decision.target == target and i.acted_at is not None
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
    before = _incident(history, entry)
    incident = _step(before, entry)
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


def _incident(history: History, entry: Entry) -> Incident:
    known = history.incidents.get(entry.incident)
    if known is not None:
        return known
    if entry.decision is None:
        raise ImpossibleTransition(f"{entry.kind} for {entry.incident!r}, which no decision opened")
    return Incident(entry.incident, Phase.NEW, entry.decision, entry.at, entry.at, entry.reason)


def _step(incident: Incident, entry: Entry) -> Incident:
    phase = TRANSITIONS[incident.phase].get(entry.kind)
    if phase is None:
        raise ImpossibleTransition(f"{entry.kind} for {entry.incident!r}, which is {incident.phase}")
    moved = replace(
        incident,
        phase=phase,
        at=entry.at,
        reason=entry.reason,
        question=entry.question,
        decision=entry.decision or incident.decision,
    )
    if entry.kind is Kind.STARTED:
        return replace(
            moved,
            effect=entry.effect,
            claim=entry.claim,
            claim_epoch=entry.claim_epoch,
            started_at=entry.at,
            done_at=None,
            taken_back_at=None,
            until=entry.until,
            boot=entry.boot,
            verdict=None,
            answer=None,
        )
    if entry.kind is Kind.REFUSED and incident.phase is Phase.ACTING:
        return replace(moved, taken_back_at=entry.at)
    if incident.phase in STANDING:
        moved = replace(moved, acted_at=entry.at)
    if entry.kind is Kind.PROPOSED:
        return replace(moved, effect=entry.effect)
    if entry.kind is Kind.WAITING:
        return replace(moved, claim=entry.claim, claim_epoch=entry.claim_epoch)
    if entry.kind is Kind.DONE:
        return replace(moved, done_at=entry.at)
    return replace(moved, verdict=entry.kind) if entry.kind in VERDICTS else moved


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
        answer = Answer(approved, entry.at, entry.reason, of, asked.effect)
        _put(history, replace(asked, answer=answer))
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
