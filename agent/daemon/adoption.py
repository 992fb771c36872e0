"""What an adopter does with an effect that another, or its own former life, left (coordination.md section 4,
rule 8): wait till nothing of it can land any more, look, finish or undo it; never apply it again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from msgspec.structs import replace

from agent.actions import Action, Ports, Stopped, configs, spec
from agent.control.past import identity
from agent.control_topic import Claim, ControlTopic
from agent.daemon.fence import ClaimWrites, Fence
from agent.daemon.last_look import before_undo
from agent.daemon.means import Means
from agent.daemon.named import check
from agent.daemon.settling import ANSWER_S, once, settle
from agent.daemon.traces import may_be_looked_for, stamped_by
from agent.history import Incident
from agent.kafka.errors import KafkaError
from agent.model import Effect, Kind, Seen, Settle
from agent.wire import BadEntry, decode_effect

log = logging.getLogger(__name__)
_Seen = TypeVar("_Seen", bound=Hashable)


class Adoption:
    """One claim that this agent holds without having begun it in this life."""

    def __init__(self, means: Means, control: ControlTopic, claim: Claim, effect: str | None) -> None:
        """`effect` None: nobody knows it. Raises BadEntry where this release does not know the action or what
        it names, or where nothing tells what is the claim's: a person must look."""
        self._means = means
        self._control = control
        self._claim = claim
        if effect is None:
            may_be_looked_for(claim)
        self._has_effect = effect is not None
        self._effect: Effect = decode_effect(effect) if effect else Effect(claim.kind, claim.agent, ())
        self._writes: ClaimWrites | None = None
        self._told = once(self._tell)
        if not self._has_effect:
            return
        action = means.actions.get(self._effect.action)
        if action is None:
            name = self._effect.action
            raise BadEntry(f"its action {name!r} is not known to this release: a person must look")
        check(self._effect)
        self._action: Action = action

    async def finish(self, known: Incident | None) -> tuple[str, str]:
        """Until nothing of it stands that should not; in words what was done, and the claim's outcome.

        `known`: the own incident that it belonged to, which has ended. Raises KafkaError, Stopped, OSError:
        to be tried again.
        """
        healed = known is not None and known.verdict is Kind.HEALED
        fence = self._means.fence
        if fence is None:
            return await self._unfenced(known, healed=healed)
        if self._writes is None:
            node = self._means.ports.node_id
            adopted = _node(self._setter()) != node
            self._writes = ClaimWrites(fence, identity(self._claim), node, adopted=adopted)
            for node in self._suspects():
                self._writes.suspect(node)
        ports = self._writes.ports(self._means.ports, _never, lambda: before_undo(self._means, self._effect))
        if not self._has_effect:
            return await self._undo_what_is_stamped(fence, self._writes, ports)
        await self._undo_what_others_feel(fence, ports)
        while True:
            seen = await self._look(fence, self._writes, ports)
            if self._stays(seen, known):
                return f"{self._whose()}: it was complete, and stays", "done"
            await self._action.undo(self._effect, ports)  # what is copied is not `ours` before it is swapped
            if self._writes.doubt is None:
                return f"{self._whose()}: nothing of what it set stands", "done" if healed else "undone"

    def _suspects(self) -> list[int]:
        """The brokers to which a holder may have sent something last. The first one, and not who told the log
        of what a lost tail took along, sent by its own, where no intent says another; who adopted it before
        sent what is no broker's own by its own."""
        via = _node(self._setter()) if self._claim.via is None else self._claim.via
        by_any = any(not change.resource.startswith("broker/") for change in self._effect.changes)
        others = self._control.former_holders(self._claim) if by_any else ()
        return sorted({via, *map(_node, others)})

    def _setter(self) -> str:
        """The agent that set it; of what was found that is not who told the log of it."""
        return self._effect.owner if self._has_effect else self._claim.agent

    async def _undo_what_is_stamped(self, fence: Fence, writes: ClaimWrites, ports: Ports) -> tuple[str, str]:
        """Its effect is not known; rates that end in its stamp, where its plan has rates, are the claim's."""
        undone: set[str] = set()
        while True:
            left = await self._settled(fence, writes, lambda: stamped_by(self._claim, ports))
            if left.changes:
                await configs.undo(left.changes, ports)
                undone |= {f"{change.key} of {change.resource}" for change in left.changes}
            if writes.doubt is None:
                what = f"what bears its stamp was undone: {', '.join(sorted(undone))}" if undone else ""
                nothing = what or "nothing bears its stamp"
                return f"{self._whose()}: its intent was lost with a tail; {nothing}", "undone"

    async def _look(self, fence: Fence, writes: ClaimWrites, ports: Ports) -> Seen:
        """What stands, once nothing that is in doubt can change it."""
        return await self._settled(fence, writes, lambda: self._action.observe(self._effect, ports))

    async def _settled(
        self, fence: Fence, writes: ClaimWrites, observe: Callable[[], Awaitable[_Seen]]
    ) -> _Seen:
        if (sent := writes.doubt) is None:
            return await observe()
        seen = await settle(fence, sent, observe, self._told)
        writes.settled(sent)
        return seen

    async def _unfenced(self, known: Incident | None, *, healed: bool) -> tuple[str, str]:
        """In a rehearsal, where nothing is ever in doubt."""
        if known is not None or not self._has_effect:
            return "its incident had ended", "done" if healed else "undone"
        await self._action.undo(self._effect, self._means.ports)
        return "the journal does not know it: what it set was undone", "undone"

    def _stays(self, seen: Seen, known: Incident | None) -> bool:
        """What an action mends and keeps stays, where all of it was done; but not what the own journal says
        was undone."""
        if not spec(type(self._action)).keeps or (known is not None and not known.mended):
            return False
        return self._action.settle(self._effect, seen) is Settle.DONE

    async def _undo_what_others_feel(self, fence: Fence, ports: Ports) -> None:
        """A dead broker's own configuration can be neither read nor written, and limits nobody; what stands
        in the topics meanwhile is undone at once. The rest waits until that broker answers again."""
        topics = tuple(c for c in self._effect.changes if c.resource.startswith("topic/"))
        brokers = {c.resource for c in self._effect.changes if c.resource.startswith("broker/")}
        nodes = [int(each.removeprefix("broker/")) for each in brokers]
        answers = [await fence.writes.answers(n, controller=False, deadline=ANSWER_S) for n in nodes]
        if not topics or all(answers):
            return
        try:
            await self._action.undo(replace(self._effect, changes=topics), ports)
        except (KafkaError, Stopped) as error:
            log.info("claim %s: its topics are undone later: %s", self._claim.id, error)

    def _whose(self) -> str:
        claim = self._claim
        own = claim.agent == f"broker-{self._means.ports.node_id}"
        return "of a former life" if own else f"adopted from {claim.agent}"

    def _tell(self, words: str) -> None:
        log.info("claim %s, %s: %s", self._claim.id, self._whose(), words)


def _node(agent: str) -> int:
    return int(agent.removeprefix("broker-"))


async def _never() -> str | None:
    return "who adopts an effect never applies it again"
