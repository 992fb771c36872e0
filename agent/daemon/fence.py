"""The writes of one claim: each is an effect by the protocol of rule 4, and in doubt until it is answered
(coordination.md section 4, rules 4 and 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from agent.actions.ports import AdminPort, Changed, NotKnown, Ports, Stopped
from agent.control.doubt import Sent
from agent.control_topic import ControlTopic, ControlUnavailable, Effects, InDoubt, NotAccepted, Request
from agent.control_topic.effects import LastLook
from agent.daemon.compared import Compared, Moves
from agent.daemon.fenced_admin import FencedAdmin
from agent.kafka.configs import ConfigChange, node_of
from agent.kafka.errors import KafkaInDoubt, KafkaRefused, KafkaUnreachable
from agent.model import Called

CONTROLLER = "the controller"
_Answer = TypeVar("_Answer")


class Writes(Protocol):
    """Requests that are sent once, on connections of their own, as agent.kafka.admin.Admin makes them; and
    whether those that they go to answer."""

    async def ready_to_alter(self, changes: Sequence[ConfigChange], via: int, ms: int) -> Request[None]:
        """Changes of one resource, to be sent to broker `via` or the only one that takes them."""
        ...

    async def ready_to_move(self, broker: int, moves: Moves, ms: int) -> Request[Moves]:
        """Moves of replicas between the broker's log dirs; those refused, with the error's name."""
        ...

    async def warm(self, node: int | None, deadline: float) -> None:
        """One read from the broker, or from any, within `deadline` seconds: the next one need not connect.
        Raises KafkaUnreachable."""
        ...

    async def in_force(self, changes: Sequence[ConfigChange]) -> bool:
        """Whether one resource's changes are in force; False where that cannot be read."""
        ...

    async def answers(self, node: int, *, controller: bool, deadline: float) -> bool:
        """Whether the broker, or the controller asked through it, answers within `deadline` seconds."""
        ...


class Fence(Struct, frozen=True):
    """What an agent fences its effects with. `process` tells one process of a broker from its next."""

    control: ControlTopic
    effects: Effects
    writes: Writes
    process: Callable[[int], Awaitable[str | None]]


class _Way(Struct, Generic[_Answer], frozen=True):
    """How one request goes: `read_from` tells what it writes over, None: any broker does."""

    ready: Callable[[], Awaitable[Request[_Answer]]]
    read_from: int | None
    targets: Mapping[str, str | None]


class ClaimWrites:
    """What one claim writes, sent by its holder's own broker `node`, and what of it is in doubt. `adopted`:
    another agent began it, so nothing of it is undone without the log (section 8)."""

    def __init__(self, fence: Fence, claim: Called, node: int, *, adopted: bool = False) -> None:
        self.begun = False  # whether anything was sent
        self.refused = ""  # why the protocol let the last write not begin
        self._fence = fence
        self._claim = claim
        self._adopted = adopted
        self._node = node
        self._open: list[Sent] = []

    @property
    def doubt(self) -> Sent | None:
        """All that may still land, as one, by the longest of the times under which it left and those now in
        force: it is as long in doubt though these were shortened since, and an agent that was just started
        began to doubt before it had read any."""
        if not self._open:
            return None
        targets = {name: process for each in self._open for name, process in each.targets.items()}
        every = [self._sent(max(each.at for each in self._open), targets), *self._open]
        act, e = max(each.act for each in every), max(each.e for each in every)
        return Sent(every[0].at, act, e, targets)

    def settled(self, doubt: Sent) -> None:
        """Nothing of what was in doubt then can land any more."""
        self._open = [each for each in self._open if each.at > doubt.at]

    def suspect(self, via: int | None = None) -> None:
        """Somebody may have sent something just now, to broker `via` (the own one unless named): a former
        life, or who held the claim before."""
        broker = f"broker {self._node if via is None else via}"
        targets: Mapping[str, str | None] = {broker: None, CONTROLLER: None}
        control = self._fence.control
        sent = self._sent(control.boot, targets) if control.params_read else Sent(control.boot, 0, 0, targets)
        self._open.append(sent)

    def ports(self, ports: Ports, apply: LastLook, undo: LastLook) -> Ports:
        """The ports of an action of this claim, with the last looks before it sets and puts back. At the end
        of each, what the action had compared is read once more."""
        compared = Compared(ports.admin)

        def write(look: LastLook, *, undo: bool) -> AdminPort:
            async def alter(changes: Sequence[ConfigChange]) -> None:
                await self._alter(changes, _both(look, lambda: compared.same_values(changes)), undo=undo)

            async def move(broker: int, moves: Moves) -> Moves:
                again = _both(look, lambda: compared.same_places(broker, moves))
                return await self._move(broker, moves, again, undo=undo)

            return FencedAdmin(ports.admin, compared, alter, move)

        return replace(ports, admin=write(apply, undo=False), undoing=write(undo, undo=True))

    async def _alter(self, changes: Sequence[ConfigChange], look: LastLook, *, undo: bool) -> None:
        """A time-out is read back before anything else. Only a value that tells whose it is proves that the
        request was executed: what an undo wants, or a list's entries, may be there by somebody else."""
        node = node_of(changes[0].resource)
        via = self._node if node is None else node  # of another broker's settings only that one takes any
        targets = {f"broker {via}": await self._fence.process(via), CONTROLLER: None}
        writes, act = self._fence.writes, self._fence.control.act
        before = list(self._open)
        try:
            way = _Way(lambda: writes.ready_to_alter(changes, via, act), node, targets)
            await self._send(way, look, undo=undo)
        except KafkaInDoubt:
            if not await writes.in_force(changes):
                raise
            if not undo and all(change.operation == "set" for change in changes):
                self._open = before  # it was done, once

    async def _move(self, broker: int, moves: Moves, look: LastLook, *, undo: bool) -> Moves:
        targets = {f"broker {broker}": await self._fence.process(broker)}
        writes, act = self._fence.writes, self._fence.control.act
        way = _Way(lambda: writes.ready_to_move(broker, moves, act), broker, targets)
        return await self._send(way, look, undo=undo)

    async def _send(self, way: _Way[_Answer], look: LastLook, *, undo: bool) -> _Answer:
        """Whatever ends it but an answer, or that nothing was sent, leaves it in doubt."""
        effects, left, ready = self._fence.effects, list[Sent](), way.ready

        def sent(at: int) -> None:
            self.begun = True
            left.append(self._sent(at, way.targets))
            self._open += left

        async def warm() -> None:
            await self._fence.writes.warm(way.read_from, self._fence.control.act / 1_000)

        self.refused = ""
        try:
            if undo:
                adopted = self._adopted
                answer = await effects.undo(self._claim, ready, look, sent, warm=warm, adopted=adopted)
            else:
                answer = await effects.apply(self._claim, ready, look, sent, warm=warm)
        except (NotAccepted, ControlUnavailable) as error:
            self.refused = str(error)
            raise Stopped(str(error)) from error
        except (Changed, NotKnown) as error:
            self.refused = str(error)
            raise
        except InDoubt as error:
            raise KafkaInDoubt("the request", str(error)) from error
        except (KafkaRefused, KafkaUnreachable):
            self._forget(left)
            raise
        self._forget(left)
        return answer

    def _forget(self, answered: list[Sent]) -> None:
        self._open = [each for each in self._open if all(each is not other for other in answered)]

    def _sent(self, at: int, targets: Mapping[str, str | None]) -> Sent:
        params = self._params
        e = params["e_controller"] if CONTROLLER in targets else params["e_own"]
        return Sent(at, params["act"], e, targets)

    @property
    def _params(self) -> Mapping[str, int]:
        return self._fence.control.params


def _both(look: LastLook, compare: Callable[[], Awaitable[None]]) -> LastLook:
    async def looked() -> str | None:
        why = await look()
        if why is None:
            await compare()
        return why

    return looked
