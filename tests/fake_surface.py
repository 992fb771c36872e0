"""A Surface over a few entries, which remembers what it was ordered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from short_stories import HELD, T0, fact

from agent import report
from agent.control.overview import overview
from agent.control.state import State
from agent.history import replay
from agent.model import Entry, Kind
from agent.series import Series
from agent.surface import GroupNow, Plain, Refused, Who
from agent.wire import plain

NOW = T0 + 120_000
CHANGES: Plain = {
    "rules": [{"name": "NewRule", "what": "added", "fields": []}],
    "remedies": [
        {
            "name": "LogDirFillingUp",
            "what": "changed",
            "fields": [{"field": "mode", "before": "observe", "after": "act"}],
        }
    ],
    "patterns": [],
    "names": False,
    "incidents": [{"id": "LogDirFillingUp/1", "alert": "LogDirFillingUp", "phase": "held"}],
}


class FakeFleet:
    """A fleet that was folded from a few records; orders are kept with the surface's."""

    def __init__(self, take: Callable[..., None]) -> None:
        self._take = take
        self.state = State()

    def show(self) -> Plain:
        return overview(self.state) | {"agent": "broker-2", "caught_up": True, "degraded": None}

    async def fresh(self) -> Plain:
        self._take("fresh")
        return self.show()

    async def order(self, t: str, x: Plain, who: Who) -> Plain:
        self._take(t, x, who.reason, who.expect, who.by)
        return {"offset": 41, "remark": ""}


class FakeSurface:
    """Answers from `entries`; every order is kept in `orders`; `refusal` refuses them all."""

    def __init__(self, entries: Sequence[Entry] = HELD) -> None:
        self.entries = tuple(entries)
        self.orders: list[tuple[object, ...]] = []
        self.refusal = ""
        self.fleet = FakeFleet(self._take)
        self.complaints: list[str] = []
        self.remark = ""
        self.well = True
        self.version = "0.1.0"
        self.series = Series(2 * 3_600_000)
        self.rule_groups: tuple[GroupNow, ...] = ()

    async def status(self) -> Plain:
        told = report.status(replay(self.entries), self.entries, NOW, report.Live())
        return {**told, "agent": "broker-2", "node_id": 2, "version": "0.1.0", "started_at": T0}

    def incidents(self) -> list[Plain]:
        return report.incidents(replay(self.entries))

    def why(self, subject: str) -> Plain:
        return report.why(replay(self.entries), self.entries, subject, NOW, report.Live())

    def actions(self, limit: int) -> list[Plain]:
        return report.actions(self.entries, limit)

    def now(self) -> int:
        return NOW

    def groups(self) -> tuple[GroupNow, ...]:
        return self.rule_groups

    def metadata(self) -> list[Plain]:
        return [
            {"metric": "up", "type": "gauge", "help": "Whether it answers", "unit": ""},
            {"metric": "work_seconds_total", "type": "counter", "help": "Work done", "unit": "seconds"},
        ]

    def live(self) -> bool:
        return self.well

    async def ready(self) -> tuple[bool, str]:
        return self.well, "" if self.well else "the control topic is not read to its end"

    async def metrics(self) -> bytes:
        return b"ottla_up 1\n"

    async def pause(self, reason: str, by: str, for_ms: int | None) -> None:
        self._take("pause", reason, by, for_ms)

    async def resume(self, by: str) -> None:
        self._take("resume", by)

    async def undo(self, incident: str | None, by: str) -> list[Plain]:
        self._take("undo", incident, by)
        return [cast(Plain, plain(fact(90, Kind.UNDONE, f"by {by}")))]

    async def approve(self, proposal: str, reason: str, by: str) -> None:
        self._take("approve", proposal, reason, by)

    async def deny(self, proposal: str, reason: str, by: str) -> None:
        self._take("deny", proposal, reason, by)

    async def stop(self, handover: bool, by: str) -> None:
        self._take("stop", handover, by)

    async def reload(self, dry_run: bool, by: str) -> Plain:
        self._take("reload", dry_run, by)
        changes = None if self.complaints else CHANGES
        ok, remark = not self.complaints, self.remark
        return {"ok": ok, "complaints": self.complaints, "changes": changes, "remark": remark}

    def _take(self, *order: object) -> None:
        if self.refusal:
            raise Refused(self.refusal)
        self.orders.append(order)
