"""The desk where people ask and order: the Surface over a running daemon."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from agent import report
from agent.daemon import own_orders, own_status
from agent.daemon.fleet_desk import FleetDesk
from agent.daemon.log_lines import Lines, behind, no_lines
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.own_hindrances import OfHindrances, hindered
from agent.daemon.own_series import OfSources, exposition
from agent.daemon.own_standing import OfControl
from agent.daemon.proposals import answer
from agent.daemon.reload import Reload
from agent.daemon.sight import IDLE_MS
from agent.families import Collector
from agent.gate import still_looks
from agent.series import Series
from agent.sources.schedule import Polling
from agent.surface import GroupNow, Plain, Refused, grouped

STUCK_MS = 30_000  # a loop that did not turn for so long does not live
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
    more: tuple[Collector, ...] = ()  # what has series of its own besides
    end: asyncio.Event = field(default_factory=asyncio.Event)
    handover: bool = False

    async def status(self) -> Plain:
        """See agent.surface.View.status."""
        means = self.means
        found = await hindered(means, self.daemon.carriers)
        known = report.status(means.ledger.history, tuple(means.ledger.entries), self.now(), self._live())
        return known | {
            "agent": self.name,
            "node_id": means.ports.node_id,
            "version": self.version,
            "started_at": self.started_at,
            "modes": own_status.modes(found, means),
            "sources": self.sources(),
            "rules": own_status.rules(self.daemon.sight, self.rules.last),
            "control": means.control and own_status.control_topic(means.control),
            "troubles": dict(found.troubles),
        }

    def sources(self) -> list[Plain]:
        """What each source last came to."""
        return own_status.sources(self.pollings)

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
        return own_status.metadata(self.pollings)

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
        more = (OfSources(self.pollings, self.now()), self.rules, ledger, found, *standing, *self.more)
        return exposition(ledger.history, self.daemon.sight, more)

    async def pause(self, reason: str, by: str, for_ms: int | None) -> None:
        """Begin nothing new."""
        until = None if for_ms is None else self.means.clock() + for_ms
        await own_orders.ordered(self.means, "pause", f"{reason} ({by})", until)

    async def resume(self, by: str) -> None:
        """End the pause; close the breaker."""
        await own_orders.ordered(self.means, "resume", by)

    async def undo(self, incident: str | None, by: str) -> list[Plain]:
        """Undo what stands, and wait for it."""
        return await own_orders.undone(self.means, self.daemon, incident, by)

    async def approve(self, proposal: str, reason: str, by: str) -> None:
        """Let it do what it proposes: the next round asks the gate again."""
        await own_orders.written(answer(self.means, proposal, "approve", reason, by))
        self.daemon.wake()

    async def deny(self, proposal: str, reason: str, by: str) -> None:
        """Forbid it."""
        await own_orders.written(answer(self.means, proposal, "deny", reason, by))
        self.daemon.wake()

    async def stop(self, handover: bool, by: str) -> None:
        """End the agent."""
        self.handover = handover
        self.end.set()  # first: a journal that cannot be written keeps nobody from stopping the agent
        with suppress(Refused, TimeoutError):
            async with asyncio.timeout(STOP_S):
                told = f"{by}{', with handover' if handover else ''}"
                await own_orders.ordered(self.means, "stop", told)

    async def reload(self, dry_run: bool, by: str) -> Plain:
        """Read the rules again, all or nothing."""
        return await self.rules.reload(dry_run=dry_run, by=by)

    def _live(self) -> report.Live:
        complaints = (self.rules.last or {}).get("complaints", ())
        return own_status.live(self.means, self.daemon.sight, self.daemon.alert_log, complaints)
