"""One replica's move between log dirs, watched from its request to the swap, and the cancelling of moves."""

from __future__ import annotations

from collections.abc import Sequence

from agent.actions.moves import Phase, Progress, cost, moves_of, progress, replica_of, to_come
from agent.actions.ports import PATIENCE_MS, REST_S, Changed, NotKnown, Ports, Stopped, node_of
from agent.kafka.errors import KafkaInDoubt, KafkaUnreachable
from agent.kafka.log_dirs import LogDir
from agent.model import Change, Effect
from agent.quantities import show_duration, show_size

# While Kafka swaps a replica its old dir is for a moment all that is told: only what is seen so often is so.
_LOOKS = 3


class Copying:
    """One move until it is done. Kafka does not look at the target's room, so this does, at every look."""

    def __init__(self, move: Change, effect: Effect, ports: Ports) -> None:
        self._move = move
        self._target = str(move.new)
        self._node = node_of(effect)
        self._ports = ports
        self._begun = False
        self._odd = 0
        self._last: Progress | None = None
        self._since = ports.steady()
        self._trouble = ""

    async def finish(self) -> None:
        """Until the replica is in its new dir, or another one took it elsewhere.

        A broker that does not answer is waited for: it resumes the move by itself; and so are the sources
        where they tell nothing of the cluster before it is begun. Raises Stopped, KafkaRefused, and OSError
        where the target's room cannot be read; the move may be running then.
        """
        while not await self._step():
            self._check_progress()
            await self._ports.sleep(self._ports.poll_ms / 1_000)

    async def _step(self) -> bool:
        try:
            usable, total = await self._ports.free_bytes(self._target)  # first: a later look sees more copied
            dirs = await self._ports.admin.log_dirs(self._node)
            return await self._judge(dirs, usable, total)
        except (KafkaUnreachable, KafkaInDoubt, Changed) as error:
            self._trouble = str(error)
        except NotKnown as error:
            self._trouble = str(error)
            await self._ports.sleep(REST_S)
        return False

    async def _judge(self, dirs: Sequence[LogDir], usable: int, total: int) -> bool:
        check_online(dirs)
        found = progress(self._move, dirs)
        if self._last is None or _done(found) != _done(self._last):
            self._since = self._ports.steady()
        self._last = found
        self._trouble = ""
        if found.phase in (Phase.DONE, Phase.RETURNING):
            return True
        if found.phase is Phase.ELSEWHERE:
            return self._seen_often()
        if found.phase is Phase.WAITING and self._begun:
            if self._seen_often():
                raise Stopped(f"the move of {self._name} was cancelled by another")
            return False
        waiting = found.phase is Phase.WAITING
        self._check_room(usable, total, to_come(self._target, dirs) + (cost(found.size) if waiting else 0))
        if waiting:
            await self._begin()
        self._begun, self._odd = True, 0
        return False

    async def _begin(self) -> None:
        key = replica_of(self._move)
        refused = await self._ports.admin.move_replicas(self._node, {key: self._target})
        if refused:
            raise Stopped(f"Kafka refused to move {self._name} to {self._target}: {refused[key]}")

    def _check_room(self, usable: int, total: int, coming: int) -> None:
        keep = int(total * self._ports.policy.drain_headroom)
        if usable - coming < keep:
            raise Stopped(
                f"{self._target} has {show_size(usable)} free, {show_size(coming)} are still to come into it"
                f", and {show_size(keep)} must stay free: {self._name} stays where it is"
            )

    def _check_progress(self) -> None:
        silent = round(self._ports.steady() - self._since)
        if silent > PATIENCE_MS:
            last = self._last
            state = f"{show_size(last.copied)} of {show_size(last.size)} copied" if last else "nothing seen"
            why = self._trouble or "see the broker's log, and whether a controller answers: it must agree"
            raise Stopped(
                f"the move of {self._name} made no progress for {show_duration(silent)}, {state}: {why}"
            )

    def _seen_often(self) -> bool:
        self._odd += 1
        return self._odd >= _LOOKS

    @property
    def _name(self) -> str:
        return self._move.resource.removeprefix("replica/")


def _done(found: Progress) -> tuple[Phase, int, str | None]:
    """What says whether the move gets on; that its replica grows meanwhile does not."""
    return found.phase, found.copied, found.at


async def cancel(effect: Effect, ports: Ports) -> None:
    """Cancel the effect's moves that are not swapped yet, by moving each back to where it still is.

    A replica that is swapped at this very moment would so begin to go back: that is cancelled in its turn.
    Stopped where a move may go on all the same, Changed among it: whoever undoes begins anew.
    """
    node, sent = node_of(effect), set[tuple[str, int]]()
    for _ in range(_LOOKS):
        dirs = await ports.admin.log_dirs(node)
        wanted = {}
        for move in moves_of(effect):
            key, phase = replica_of(move), progress(move, dirs).phase
            if phase is Phase.COPYING:
                wanted[key] = str(move.prior)
            elif phase is Phase.RETURNING and key in sent:
                wanted[key] = str(move.new)
        if not wanted:
            return _check_nothing_hidden(effect, dirs)
        refused = await ports.back.admin.move_replicas(node, wanted)
        if refused:
            raise Stopped("; ".join(f"{t}-{p} cannot be cancelled: {why}" for (t, p), why in refused.items()))
        sent |= set(wanted)
    raise Stopped(f"{len(wanted)} moves go on although they were cancelled {_LOOKS} times")


def check_online(dirs: Sequence[LogDir]) -> None:
    """Stopped where a log dir is offline: Kafka moves nothing then, and tells nothing of what is in it."""
    offline = [d.path for d in dirs if d.error]
    if offline:
        raise Stopped(
            f"log dir {offline[0]} is offline: until it is mended and the broker restarted no move ends"
        )


def _check_nothing_hidden(effect: Effect, dirs: Sequence[LogDir]) -> None:
    """A broker tells nothing of an offline dir, and resumes moves into and out of it when it is back."""
    offline = {d.path for d in dirs if d.error}
    for move in moves_of(effect):
        if move.new in offline:
            way = "still be on its way into"
        elif progress(move, dirs).phase is Phase.HIDDEN:
            way = "go on being copied out of"
        else:
            continue
        raise Stopped(f"{move.resource} may {way} an offline log dir: mend it, then it is cancelled")
