"""The stage's disk in a cluster of which something may fail, and a rule that looks for harm."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace
from stage import Brake, DiskScenery, book

from agent.actions import Ports
from agent.gate import World
from agent.model import Change, Effect, Operation, Refusal, Sample, Seen, Settle, Verify
from agent.rulebook import Rulebook

FAILED = "log_dir_failed_total"
HOUR = 3_600_000


class Cluster(DiskScenery):
    """Partitions of it may fail, and log dirs; nobody tells of them before the first reading."""

    failed = offline = 0
    is_read = False

    def begin_life(self) -> None:
        """What was read is forgotten."""
        self.is_read = False

    def world(self) -> World | None:  # type: ignore[override]  # the other scenery always knows it
        """As broker 2 sees it."""
        return World(self._at, 2, offline=self.offline) if self.is_read else None

    async def read(self, now: int) -> list[Sample]:
        """Two samples, a moment later."""
        await asyncio.sleep(0.05)
        self.is_read = True
        return [*await super().read(now), Sample(FAILED, (), now, float(self.failed))]


def judged(within_ms: int, *, worse_if: str | None = None, lease_ms: int | None = HOUR) -> Rulebook:
    """The stage's rules, under a lease of an hour."""
    rules = book(lease_ms=lease_ms)
    remedy = rules.remedies["Full"]
    step = replace(remedy.steps[0], verify=Verify('used{path="$path"} < 0.7', within_ms, 5_000))
    return replace(rules, remedies={"Full": replace(remedy, steps=(step,), worse_if=worse_if)})


class Measuring(Brake):
    """Its plan takes three seconds, as that of a throttle does."""

    async def plan(self, ports: Ports, *, target: str) -> Effect | Refusal:
        """At their end."""
        await asyncio.sleep(3)
        return Effect("brake", "broker-1", (Change("disk/1", "brake", Operation.SET, None, "on"),))


class Slow(Brake):
    """Takes for ever to brake, as a drain may; half done is applied on."""

    plan = Brake.plan

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """Not until it is cancelled."""
        await super().apply(effect, ports)
        await asyncio.sleep(1e6)

    def settle(self, effect: Effect, seen: Seen) -> Settle:
        """As a drain whose moves are cancelled."""
        return Settle.APPLY if seen.gone else Settle.DONE


class Failing(Brake):
    """Brakes, and fails half a minute later."""

    plan = Brake.plan

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """Half done."""
        await super().apply(effect, ports)
        await asyncio.sleep(30)
        raise RuntimeError("the brake is broken")
