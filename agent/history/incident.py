"""One incident: what its entries say of it, and what a person may say to it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from agent import proposal
from agent.history.phases import STANDING, TRANSITIONS, VERDICTS, ImpossibleTransition, Phase
from agent.model import Boot, Called, Decision, Effect, Entry, Kind

ANSWERS = {"approve": True, "deny": False}  # a person's verbs


class Answer(Struct, frozen=True):
    """What a person said to a proposal: to this decision and this effect, and to no other."""

    approved: bool
    at: int
    words: str  # who, and why
    decision: Decision
    effect: Effect | None = None  # as it was shown
    boot: Boot | None = None  # as `at`

    def age(self, now: int, boot: Boot) -> int | None:
        """Ms since then, whatever the clock was set to; across a boot of the machine by the clock, and None
        where that was set back."""
        passed = self.boot.passed(boot) if self.boot is not None else None
        if passed is not None:
            return passed
        return now - self.at if now >= self.at else None

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
    stood_at: int | None = None  # when the newest entry told of what stood
    taken_back_at: int | None = None  # when its start was refused before anything was sent
    until: int | None = None
    boot: Boot | None = None  # as `started_at`
    verdict: Kind | None = None
    undone: bool = False
    answer: Answer | None = None  # used up by the start that it allowed
    answered: bool = False  # since it was last proposed
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
    def mended(self) -> bool:
        """Whether it helped, and was not undone since: what an action keeps stays then."""
        return self.verdict is Kind.HEALED and not self.undone

    @property
    def why_undone(self) -> str:
        """Of one that is UNDOING: what its verdict says, or whoever else wanted it."""
        wanted = self.verdict in (None, Kind.HEALED)
        return self.reason if wanted else f"{self.verdict}: {self.reason}"

    @property
    def stands(self) -> bool:
        """Whether an effect of it may stand in the world."""
        return self.phase in STANDING


def opened(entry: Entry) -> Incident:
    """The one that this entry opens by its decision. Raises ImpossibleTransition."""
    if entry.decision is None:
        raise ImpossibleTransition(f"{entry.kind} for {entry.incident!r}, which no decision opened")
    return Incident(entry.incident, Phase.NEW, entry.decision, entry.at, entry.at, entry.reason)


def step(incident: Incident, entry: Entry) -> Incident:
    """It after one more entry of it. Raises ImpossibleTransition."""
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
            undone=False,
            answer=None,
        )
    if entry.kind is Kind.REFUSED and incident.phase is Phase.ACTING:
        return replace(moved, taken_back_at=entry.at)
    if incident.phase in STANDING:
        moved = replace(moved, stood_at=entry.at)
    if entry.kind is Kind.PROPOSED:
        return replace(moved, effect=entry.effect, answered=False)
    if entry.kind is Kind.WAITING:
        return replace(moved, claim=entry.claim, claim_epoch=entry.claim_epoch)
    if entry.kind is Kind.DONE:
        return replace(moved, done_at=entry.at)
    if entry.kind is Kind.UNDONE:
        return replace(moved, undone=True)
    return replace(moved, verdict=entry.kind) if entry.kind in VERDICTS else moved
