"""What tells of one effect whether it did harm or helped: from when on, and by which samples."""

from __future__ import annotations

from msgspec.structs import replace

from agent.daemon.early import ran
from agent.daemon.freshness import Freshness
from agent.daemon.freshness import begun as since_start
from agent.daemon.means import Means
from agent.daemon.standing import Standing
from agent.daemon.verification import Verification
from agent.history import TRANSITIONS, Phase
from agent.model import Kind, Refusal
from agent.verify import Before, Judgement, View, first_seen, judge, worsened


class Evidence:
    """Of one incident, from its start until nothing of it stands, whoever carries it.

    Harm is judged by what was since the effect began, which is when its first request was sent; without a
    fence, or of a former life, nothing tells that, and it is the start. Help is judged by what was since it
    stood. `must_go`: as what its undo was begun, and why, once it was; it stays so, since what told that may
    pass with the effect before either can be written down. `refused`: why nothing was sent at all, until that
    is written down.
    """

    def __init__(self, means: Means, incident: str) -> None:
        self._means = means
        self._one = Standing(means, incident)
        self.must_go: tuple[Kind, str] | None = None
        self.refused: Refusal | None = None
        self._before = Before()
        self._began: Freshness | None = None
        self._stood_since = ran()  # at the latest, once it is DONE
        self._stood: Freshness | None = None
        self._clock = Verification()
        self._held_since: int | None = None  # without a break, of what `verify` asks

    def begin(self, *, resumed: bool, begun: bool) -> None:
        """Each time the incident is carried; `resumed`: a former carrier may have begun its effect. `begun`:
        something may have been sent. What was seen first in this life is compared with on."""
        if self._began is not None:
            return
        now = self._means.clock()
        if resumed:
            self._began = since_start(self._one.incident, now, self._means.boot(), ran())
        elif begun:
            self._began = Freshness(now, ran())
        self._look_around()

    def stands(self) -> None:
        """It was applied at this instant."""
        self._stood_since = ran()
        self._began = self._began or Freshness(self._means.clock(), ran())

    def untold(self) -> tuple[Kind, str] | None:
        """`must_go`, where that can still be written of the incident as it is now: what was said to fail may
        have been written."""
        phase, known = self._one.incident.phase, self.must_go
        if known is None or phase is Phase.UNDOING or known[0] not in TRANSITIONS[phase]:
            return None
        return known

    def harm(self, *, begun: bool) -> str:
        """In what way it got worse since the effect began; empty where it did not, or nothing began yet."""
        if self._began is None and not begun:
            self._look_around()
            return ""
        view = self._view(None)
        return worsened(self._one.incident.decision, self._before, view)

    def verdict(self) -> Judgement:
        """Of one that is DONE."""
        one = self._one.incident
        self._stood = self._stood or Freshness(one.done_at or 0, self._stood_since)
        view = self._view(self._stood)
        passed = replace(view, now=self._clock.now(one, view.now, ran()))  # samples are of the wall clock
        found = judge(one.decision, self._before, passed, one.done_at, self._held_since)
        self._held_since = found.since
        return found

    def _look_around(self) -> None:
        """What the cluster is like before it begins."""
        world = self._means.sight().world()
        if world is not None:
            self._before = Before(world.offline, world.under_min_isr)

    def _view(self, stood: Freshness | None) -> View:
        now = self._means.clock()
        self._began = self._began or Freshness(now, ran())
        view = self._means.sight().view(self._one.incident.decision, self._began, stood, now, ran())
        self._before = first_seen(self._before, view)
        return view
