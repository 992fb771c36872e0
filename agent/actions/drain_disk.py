"""drain_disk: move replicas from one log dir of this broker to its others."""

from __future__ import annotations

from typing import NoReturn

from agent.actions import action, configs, shown_by
from agent.actions.copying import Copying, cancel
from agent.actions.drain_plan import plan_drain
from agent.actions.moves import UNFINISHED, Phase, moves_of, progress
from agent.actions.ports import Ports, Stopped, node_of
from agent.actions.throttles import MOVE_RATE
from agent.kafka.errors import KafkaError, KafkaRefused
from agent.model import Blast, Effect, Refusal, Seen, Settle
from agent.quantities import BytesPerSecond, Ratio


@shown_by("a limit for moves between log dirs", MOVE_RATE)
@action(
    blast=Blast.HOST,
    reversible=False,
    corroborate=1,
    keeps=True,
    moves=("kafka_admin_future_replicas", "kafka_server_alterlogdirsreplication_byte_rate"),
)
class DrainDisk:
    """Move replicas out of a log dir of this broker into its other ones, until it is used no more than asked.

    * `log_dir`: the log dir to drain, as the broker's `log.dirs` names it; usually `$path`.
    * `until_used_ratio`: stop choosing replicas where this part of its volume would be used.
    * `rate`: how fast to copy; the host's policy `max_move_rate` caps it.

    The largest replicas go first, those of compacted topics last; one is copied at a time, and each stays
    served from its old dir until Kafka swaps it. The copy takes room in the target until then, Kafka does not
    look whether there is any, and a full dir goes offline with all that is in it: so the target keeps the
    policy's `drain_headroom` free (20 % unless set) and is used no more than `until_used_ratio` in the end,
    moves that somebody else runs into it included; this is looked at all the while, and a copy that would end
    beyond it is cancelled. A copy that makes no progress for ten minutes is cancelled too; while
    nothing is known of the cluster, the next replica waits for as long.

    Refused where another log dir is missing or offline, where somebody else moves replicas on this broker or
    has set a limit for moves, where nothing fits, for replicas that are being reassigned, and where so many
    other brokers have a limit for moves that the budget of drains is used up.

    While it works `replica.alter.log.dirs.io.max.bytes.per.second` is set on this broker; at its end, good
    or bad, the limit is what it was. Undo cancels what is not yet swapped. Replicas that were swapped stay
    where they are: they are complete there, and to bring them back would fill the disk again. After a crash
    of the agent or the broker the moves go on by themselves, and the agent takes up watching them.
    """

    async def plan(
        self,
        ports: Ports,
        *,
        target: str,
        log_dir: str,
        until_used_ratio: Ratio,
        rate: BytesPerSecond,
    ) -> Effect | Refusal:
        """Moves and limit, or why not. `target` is the alert's patient; the dir is named by `log_dir`."""
        return await plan_drain(ports, target, log_dir.rstrip("/") or "/", until_used_ratio, rate)

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """Limit, then move one by one; looks first, so that it goes on where it, or Kafka, had got to."""
        limit = configs.of_configs(effect.changes)
        dirs = await ports.admin.log_dirs(node_of(effect))
        unfinished = [m for m in moves_of(effect) if progress(m, dirs).phase in UNFINISHED]
        try:
            if unfinished:
                await configs.apply(limit, ports)
            for move in unfinished:
                await Copying(move, effect, ports).finish()
        except (Stopped, KafkaRefused, OSError) as error:
            await self._clean_up(effect, ports, error)
        await configs.undo(limit, ports)

    async def undo(self, effect: Effect, ports: Ports) -> Seen:
        """Cancel what is not swapped, restore the limit. Stopped where a move cannot be cancelled now."""
        try:
            await cancel(effect, ports)
        finally:
            await configs.undo(configs.of_configs(effect.changes), ports)
        return await self.observe(effect, ports)

    async def observe(self, effect: Effect, ports: Ports) -> Seen:
        """A finished move is `ours`; one that waits or copies is `gone`: the prior dir still has it."""
        seen = await configs.observe(configs.of_configs(effect.changes), ports)
        ours, theirs, gone = list(seen.ours), list(seen.theirs), list(seen.gone)
        dirs = await ports.admin.log_dirs(node_of(effect))
        for move in moves_of(effect):
            found = progress(move, dirs)
            if found.phase in (Phase.DONE, Phase.RETURNING):
                ours.append(move)
            elif found.phase is Phase.ELSEWHERE:
                theirs.append((move, found.at))
            else:
                gone.append(move)
        return Seen(tuple(ours), tuple(theirs), tuple(gone))

    async def _clean_up(self, effect: Effect, ports: Ports, error: Exception) -> NoReturn:
        """Nothing of ours goes on unwatched: an undo, then Stopped with the reason."""
        try:
            await self.undo(effect, ports)
        except (Stopped, KafkaError) as left:
            raise Stopped(f"{error}; what was begun is not cancelled yet: {left}") from error
        raise Stopped(str(error)) from error

    def settle(self, effect: Effect, seen: Seen) -> Settle:
        """Go on while a move is unfinished or the limit stands; a limit that is another's ends the drain.

        What was not begun is not gone on with: the last look may have refused it, which could not be written.
        Undo cancels a copy whose limit somebody took away.
        """
        limit = configs.of_configs(effect.changes)
        if any(change in limit for change, _ in seen.theirs):
            return Settle.UNDO
        unfinished = any(c not in limit for c in seen.gone)
        if unfinished and not seen.ours:
            return Settle.GONE
        return Settle.APPLY if unfinished or any(c in limit for c in seen.ours) else Settle.DONE

    def scopes(self, effect: Effect) -> tuple[str, ...]:
        """The drains' budget, the broker, and the disks at both ends."""
        node = node_of(effect)
        moves = moves_of(effect)
        paths = dict.fromkeys([str(m.prior) for m in moves] + sorted({str(m.new) for m in moves}))
        return ("disk_drain", f"x:broker/{node}", *(f"x:disk/{node}/{path}" for path in paths))
