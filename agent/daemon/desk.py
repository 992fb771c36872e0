"""The desk where people ask and order: the Surface over a running daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile

from agent import report
from agent.daemon.fleet_desk import FleetDesk
from agent.daemon.log_lines import Lines, behind, no_lines
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.own_hindrances import Hindered, OfHindrances, hindered
from agent.daemon.own_series import OfSources, exposition
from agent.daemon.own_standing import OfControl
from agent.daemon.proposals import answer
from agent.daemon.reload import Reload
from agent.daemon.sight import IDLE_MS
from agent.gate import still_looks, stop_file
from agent.journal import JournalFailed
from agent.model import Entry, Kind
from agent.series import Series
from agent.sources import schedule
from agent.sources.schedule import Polling
from agent.surface import GroupNow, Plain, Refused, grouped
from agent.web.client import ORDER_S
from agent.wire import plain

STUCK_MS = 30_000  # a loop that did not turn for so long does not live
UNDO_S = ORDER_S - 15  # who ordered still waits then; the stop file and the journal may take 12 before
UNWRITTEN = "not done, as it cannot be written down"
UNTOLD = "it is put back as ordered, but shown as standing for as long as that cannot be written down"
STOP_S = 1.0  # for the entry that says who stops it


@dataclass
class Desk:
    """Implements agent.surface.Surface. `rules` are those in force, and what reads others."""

    name: str
    version: str
    means: Means
    daemon: Daemon
    pollings: list[Polling]
    rules: Reload
    started_at: int
    lines: Lines = no_lines
    end: asyncio.Event = field(default_factory=asyncio.Event)
    handover: bool = False

    async def status(self) -> Plain:
        """See agent.surface.View.status."""
        found = await hindered(self.means, self.daemon.carriers)
        now, control = self.means.clock(), self.means.control
        known = report.status(self.means.ledger.history, tuple(self.means.ledger.entries), now, self._live())
        sight = self.daemon.sight
        return known | {
            "agent": self.name,
            "node_id": self.means.ports.node_id,
            "version": self.version,
            "started_at": self.started_at,
            "modes": self._modes(found),
            "sources": self.sources(),
            "rules": {
                "count": len(sight.book.alerts),
                "digest": sight.book.digest,
                "not_ok": self._not_ok(),
                "reload": self.rules.last,
            },
            "control": control
            and {
                "caught_up": control.caught_up,
                "degraded": control.degraded,
                "peers": sorted(control.peers()),
                "pauses": control.pauses(),
                "voids": dict(control.state.voids),
                "joins": control.joins,
                "unrest": control.unrest(),
                "held_back": control.held_back(),
                "snapshots": control.snapshots(),
            },
            "troubles": dict(found.troubles),
        }

    def sources(self) -> list[Plain]:
        """What each source last came to."""
        return [
            {
                "name": p.source.name,
                "up": not p.silence,
                "age_ms": None if p.read_at is None else round(p.age_s * 1000),
                "why": p.silence,
                "unread": sorted(p.unread),
                "failed": dict(p.failed),
            }
            for p in self.pollings
        ]

    def incidents(self) -> list[Plain]:
        """Open incidents."""
        return report.incidents(self.means.ledger.history)

    def why(self, subject: str) -> Plain:
        """The story of a rule, a target or an incident."""
        ledger = self.means.ledger
        live = self._live()
        told = report.why(ledger.history, tuple(ledger.entries), subject, self.means.clock(), live)
        rules = self.daemon.sight.book.alerts
        return told | {"lines": behind(subject, told["incidents"], rules, live.alerts, self.lines)}

    def actions(self, limit: int) -> list[Plain]:
        """What was done, newest first."""
        return report.actions(tuple(self.means.ledger.entries))[:limit]

    @property
    def fleet(self) -> FleetDesk:
        """The control topic."""
        return FleetDesk(self.name, self.means)

    @property
    def series(self) -> Series:
        """The samples of the rules in force."""
        return self.daemon.sight.series

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self.means.clock()

    def groups(self) -> tuple[GroupNow, ...]:
        """All rules and what came of them."""
        return grouped(self.daemon.sight.alerts.each(), IDLE_MS)

    def metadata(self) -> list[Plain]:
        """What the sources declare, and what each says of itself."""
        declared = [m for polling in self.pollings for m in polling.source.metrics]
        known = {m.name: m for m in (*declared, *schedule.METRICS)}
        return [
            {"metric": m.name, "type": m.type, "help": m.help, "unit": m.unit}
            for m in sorted(known.values(), key=lambda m: m.name)
        ]

    def live(self) -> bool:
        """Whether the loop turns."""
        return self.means.clock() - self.daemon.beat_at < STUCK_MS

    async def ready(self) -> tuple[bool, str]:
        """Whether the agent can judge and act."""
        down = [f"{p.source.name}: {p.silence}" for p in self.pollings if p.silence]
        local, control = await self.means.local(), self.means.control
        young = still_looks(self.means.clock(), local.started_at, local.policy)
        found = await hindered(self.means, self.daemon.carriers)
        reasons = [self.means.ledger.failed or "", *found.from_acting(), young or "", *down]
        if control is not None and control.degraded:
            reasons.append(control.degraded)
        elif control is not None and not control.caught_up:
            reasons.append("the control topic is not read to its end yet")
        words = "; ".join(r for r in reasons if r)
        return not words, words or "ready"

    async def metrics(self) -> bytes:
        """The agent's own series."""
        found = OfHindrances(await hindered(self.means, self.daemon.carriers))
        ledger, control = self.means.ledger, self.means.control
        standing = () if control is None else (OfControl(control),)
        more = (OfSources(self.pollings, self.now()), self.rules, ledger, found, *standing)
        return exposition(ledger.history, self.daemon.sight, more)

    async def pause(self, reason: str, by: str, for_ms: int | None) -> None:
        """Begin nothing new."""
        until = None if for_ms is None else self.means.clock() + for_ms
        await self._operator("pause", f"{reason} ({by})", until)

    async def resume(self, by: str) -> None:
        """End the pause; close the breaker."""
        await self._operator("resume", by, None)

    async def undo(self, incident: str | None, by: str) -> list[Plain]:
        """Undo what stands, and wait for it."""
        standing = [i.id for i in self.means.ledger.history.standing() if incident in (None, i.id)]
        if incident is not None and not standing:
            raise Refused(f"nothing of {incident!r} stands: `ottla status` lists what does")
        if standing and (why := stop_file((await self.means.local()).stop_file)) is not None:
            raise Refused(f"nothing is put back, as {why}; order it again once that is removed")
        last = next(reversed(self.means.ledger.entries), None)
        for name in standing:  # first: a journal that cannot be written keeps nothing from being put back
            self.daemon.ask_undo(name, f"undone by {by}")
        told = f"{incident or 'everything'} ({by})"
        order = Entry(self.means.clock(), Kind.OPERATOR, told, question="undo")
        await self._written(self.means.ledger.record(order), UNTOLD)
        await self._until(lambda: not any(self._stands(i) for i in standing), UNDO_S)
        since = takewhile(lambda entry: entry is not last, reversed(self.means.ledger.entries))
        written = [e for e in since if e.incident in standing]
        return [plain(e) for e in reversed(written)]  # type: ignore[misc]  # to_builtins gives plain data

    async def approve(self, proposal: str, reason: str, by: str) -> None:
        """Let it do what it proposes: the next round asks the gate again."""
        await self._written(answer(self.means, proposal, "approve", reason, by))
        self.daemon.wake()

    async def deny(self, proposal: str, reason: str, by: str) -> None:
        """Forbid it."""
        await self._written(answer(self.means, proposal, "deny", reason, by))
        self.daemon.wake()

    async def stop(self, handover: bool, by: str) -> None:
        """End the agent."""
        self.handover = handover
        self.end.set()  # first: a journal that cannot be written keeps nobody from stopping the agent
        with suppress(Refused, TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._operator("stop", f"{by}{', with handover' if handover else ''}", None)

    async def reload(self, dry_run: bool, by: str) -> Plain:
        """Read the rules again, all or nothing."""
        return await self.rules.reload(dry_run=dry_run, by=by)

    def _stands(self, incident: str) -> bool:
        one = self.means.ledger.history.incidents.get(incident)
        return one is not None and one.stands

    def _modes(self, found: Hindered) -> Plain:
        control = self.means.control
        reasons = self.means.ledger.failed, control.degraded if control is not None else None
        return {
            "paused": found.paused,
            "stopped": found.stopped,
            "breaker": found.breaker,
            "degraded": "; ".join(why for why in reasons if why) or None,
        }

    def _not_ok(self) -> list[Plain]:
        alerts = self.daemon.sight.alerts
        names = [r.name for r in self.daemon.sight.book.alerts if alerts.health(r.name) != "ok"]
        return [{"rule": n, "health": str(alerts.health(n)), "why": alerts.why(n)} for n in names]

    def _live(self) -> report.Live:
        sight, control = self.daemon.sight, self.means.control
        waiting = [i.claim for i in self.means.ledger.history.incidents.values() if i.claim is not None]
        return report.Live(
            alerts=sight.alerts.active(),
            rules={
                r.name: (sight.alerts.health(r.name), sight.alerts.why(r.name)) for r in sight.book.alerts
            },
            remedies={name: remedy.mode for name, remedy in sight.book.remedies.items()},
            blockers={c: control.blockers(c) for c in waiting} if control is not None else {},
            said={n: (p.at, p.status) for n, p in control.peers().items()} if control is not None else {},
            refused=next(iter((self.rules.last or {}).get("complaints", ())), ""),
        )

    async def _operator(self, verb: str, reason: str, until: int | None) -> None:
        entry = Entry(self.means.clock(), Kind.OPERATOR, reason, question=verb, until=until)
        await self._written(self.means.ledger.record(entry))

    async def _written(self, entry: Awaitable[object], words: str = UNWRITTEN) -> None:
        try:
            await entry
        except JournalFailed as error:
            raise Refused(f"{words}: {error}") from error

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not done():  # noqa: ASYNC110  the history is a value: nothing in it can be waited for
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise Refused(
                f"not undone within {seconds:g} s and still tried: `ottla status` says what keeps it"
            ) from None
