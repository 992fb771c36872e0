"""One agent's life: open the journal, serve, poll, decide, until a person or a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from agent.alerts import Kept
from agent.control_topic import ControlTopic
from agent.daemon.claim_sweep import sweep_claims
from agent.daemon.desk import Desk
from agent.daemon.found import Found
from agent.daemon.judging import Judging
from agent.daemon.ledger import Ledger
from agent.daemon.loop import Daemon
from agent.daemon.rule_watch import RuleWatch
from agent.daemon.snapshots import Snapshots
from agent.early_hang_up import EarlyHangUp
from agent.journal import Journal, JournalFailed
from agent.model import Entry, Kind
from agent.sources.schedule import Polling
from agent.web.server import Server
from agent.wire import encode

log = logging.getLogger(__name__)
ALERTS = "alerts"  # the name under which the journal keeps them
KEEP_S = 5.0
LAST_S = 2.0  # for the last entries: a journal whose disk hangs keeps nobody from stopping the agent
NOTES = 200  # waiting for the control topic; more are dropped and counted there
_KEPT = msgspec.msgpack.Decoder(tuple[Kept, ...])  # JSON has no NaN, and a value may be one


class Notes:
    """Entries on their way to the control topic: the fleet's history. Nobody waits for them."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Entry] = asyncio.Queue(NOTES)
        self.dropped = 0

    def told(self, entry: Entry) -> None:
        """One more entry; dropped and counted where the topic is too slow."""
        try:
            self._queue.put_nowait(entry)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self, control: ControlTopic) -> None:
        """Hand them over, one at a time."""
        while True:
            await control.note(encode(await self._queue.get()).decode())


@dataclass
class Service:
    """The parts of a running agent."""

    journal: Journal
    ledger: Ledger
    daemon: Daemon
    judging: Judging
    desk: Desk
    server: Server
    pollings: Sequence[Polling]
    control: ControlTopic | None
    notes: Notes
    watch: RuleWatch
    snapshots: Snapshots

    async def run(self, ready: Callable[[str], None]) -> None:
        """Until the end. `ready` is called with the HTTP address. Raises what keeps it from starting."""
        await self.daemon.recover()
        address = await self.server.start()
        with contextlib.suppress(JournalFailed):  # the ledger shows it; what stands is put back all the same
            await self._say(f"started: version {self.desk.version}, rules {self.daemon.sight.book.digest}")
        tasks = self._tasks()
        ready(address)
        self._obey_signals()
        end = asyncio.ensure_future(self.desk.end.wait())
        done, _ = await asyncio.wait({end, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        await self._wind_down(tasks)
        end.cancel()
        for task in done - {end}:
            task.result()  # one that ended by itself is a fault: raise it, and be started anew
            raise RuntimeError(f"the agent's part '{task.get_name()}' ended without an error")

    def _tasks(self) -> list[asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(p.run(), name=f"source {p.source.name}") for p in self.pollings]
        tasks += [
            loop.create_task(self.judging.run(), name="judging of rules"),
            loop.create_task(self.daemon.run(), name="rounds"),
            loop.create_task(self._keep_alerts(), name="keeper of alerts"),
            loop.create_task(self.watch.run(), name="watch of rules"),
            loop.create_task(self.snapshots.run(), name="snapshots of the window store"),
        ]
        if self.control is not None:
            tasks.append(loop.create_task(self._take_part(self.control), name="control topic"))
            tasks.append(loop.create_task(self._sweep(self.control), name="sweep of claims"))
            found = Found(self.desk.means, self.control)
            tasks.append(loop.create_task(found.run(), name="search for effects without a claim"))
        return tasks

    async def _take_part(self, control: ControlTopic) -> None:
        await control.start()
        await self.notes.run(control)

    async def _sweep(self, control: ControlTopic) -> None:
        while True:
            with contextlib.suppress(JournalFailed):  # the ledger shows it; the sweep comes again
                await sweep_claims(self.desk.means, control)

    async def _keep_alerts(self) -> None:
        """What was pending or firing goes on where it was after a restart."""
        kept = b""
        while True:
            await asyncio.sleep(KEEP_S)
            kept = await self._keep(kept)

    async def _keep(self, kept: bytes) -> bytes:
        now = msgspec.msgpack.encode(
            tuple(k for k in self.daemon.sight.alerts.keep() if k.alerts or k.given_up)
        )
        if now != kept:
            with contextlib.suppress(
                JournalFailed
            ):  # the ledger shows it; alerts are found anew without this
                await self.journal.save(ALERTS, now)
        return now

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        early = signal.getsignal(signal.SIGHUP)
        loop.add_signal_handler(signal.SIGHUP, self.watch.hang_up)
        if isinstance(early, EarlyHangUp) and early.came:  # perhaps after the rules were read
            self.watch.hang_up()

    def _end(self, number: signal.Signals) -> None:
        log.info("%s: what is reversible is undone, then it ends", number.name)
        self.desk.end.set()

    async def _wind_down(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        await self.daemon.stop(handover=self.desk.handover)
        written = await self._write_last()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.judging.close()
        if written or not self.journal.hangs:  # a snapshot counts only once the journal has what goes with it
            await self.snapshots.save()
        if self.control is not None:
            await self.control.close(leave=not self._hands_over())
        await self.server.close()
        try:
            await self.journal.close(LAST_S)
        except JournalFailed as error:
            log.warning("its lock goes with this process: %s", error)

    def _hands_over(self) -> bool:
        """Whether a successor is to find what it needs a claim for: peers adopt at once of who has left."""
        claims = [one.claimed for one in self.ledger.history.standing() if one.claimed is not None]
        return self.desk.handover and bool(claims)

    async def _write_last(self) -> bool:
        standing = ", ".join(i.id for i in self.ledger.history.standing()) or "nothing"
        try:
            async with asyncio.timeout(LAST_S):
                await self._keep(b"")
                await self._say(f"stopped; what stands: {standing}")
        except (JournalFailed, TimeoutError) as error:
            why = str(error) or f"the journal has not answered for {LAST_S:g} s"
            log.warning("that it stops is not written down, what stands: %s; %s", standing, why)
            return False
        return True

    async def _say(self, reason: str) -> None:
        await self.ledger.record(Entry(self.desk.means.clock(), Kind.AGENT, reason))


async def restored(journal: Journal) -> tuple[Kept, ...]:
    """What is known of the rules from the agent's former life; nothing where it cannot be read any more."""
    kept = await journal.load(ALERTS)
    try:
        return _KEPT.decode(kept) if kept else ()
    except msgspec.DecodeError:
        log.warning("the alerts of the former life are of another version: they are found anew")
        return ()
