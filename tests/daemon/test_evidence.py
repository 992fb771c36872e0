"""From when on an effect is judged, and by which samples: of harm by what was since its first request."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from claiming_stage import limited, pause_fleet, peer
from failing_cluster import HOUR, Cluster, Measuring, judged
from fenced_cluster import boot_ms
from fenced_fleet import Fleet, play
from msgspec.structs import replace
from stage import PLACE, Disk, DiskScenery, Stage
from written_throttle import OF, REMEDY, Clear, written_down

from agent.daemon.freshness import Freshness
from agent.daemon.sight import Sight
from agent.gate import World
from agent.history import Incident, Phase
from agent.model import AlertRule, Kind, Sample, labels_of
from agent.rehearsal.memory_log import MemoryLog
from agent.rehearsal.virtual_time import run
from agent.rulebook import Rulebook
from agent.series import Series

FAILED = "log_dir_failed_total"
WORSE_IF = f"increase({FAILED}[10s]) > 0"


class Rising(DiskScenery):
    """Read each 5 s: higher by `by` each time once it began, and lower once it is braked."""

    value, by, braked_by = 0.0, 0.4, -0.4

    async def read(self, now: int) -> list[Sample]:
        """One sample."""
        self._at = now
        if self.value:
            self.value = max(0.75, self.value + (self.braked_by if self.disk.brake else self.by))
        return [Sample("used", labels_of({"path": "/d1"}), now, self.value)]

    def next_read(self, now: int) -> int:
        """Seldom."""
        return now + 5_000


def kinds(told: list[str]) -> list[str]:
    """(second, kind) of each line."""
    return [line.split(":")[0].strip() for line in told]


async def rises(braked_by: float) -> list[str]:
    stage = Stage(rules=judged(120_000))
    stage.scenery = scenery = Rising(stage.disk)
    scenery.actions, scenery.braked_by = {"brake": Measuring(stage.disk)}, braked_by
    await stage.start()
    await stage.play(12)
    await stage.play(60, value=4.0)
    told = stage.told()
    await stage.crash()
    return told


def test_what_rises_until_it_is_begun_is_no_worse_by_that() -> None:
    """It is 4.8 when it is decided, 5.2 when the plan is made, and falls from then on."""
    assert kinds(run(rises(braked_by=-0.4))) == ["28 started", "28 done"]


def test_what_rises_on_from_what_it_was_then_is_worse() -> None:
    """By a fifth of what was read first after the effect: more than 1.1 above 5.6."""
    told = run(rises(braked_by=0.4))
    assert kinds(told)[:3] == ["28 started", "28 done", "45 worse"]
    assert told[2].endswith("Full moved from 5.6 to 6.8, away from 0.8")


async def waits_for_its_claim(seconds: float) -> list[str]:
    stage = Stage(rules=judged(60_000), disk=Disk(helps=False))
    log = MemoryLog(stage.now)
    other = await peer(log, limited(stage, log))
    await stage.start()
    off = await pause_fleet(other, on=True)
    await stage.play(30, used=0.9)
    await stage.play(seconds, used=1.5)
    await pause_fleet(other, on=False, expect=off)
    await stage.play(3)
    await stage.play(5, used=1.1)
    await stage.play(20, used=0.6)
    told = stage.told()
    await other.close()
    await stage.crash()
    return told


def test_what_rose_while_its_claim_waited_is_no_worse_by_that() -> None:
    told = kinds(run(waits_for_its_claim(1_200)))
    assert [line.split()[1] for line in told] == ["waiting", "started", "done", "healed"]


@pytest.mark.parametrize(
    ("change", "at", "words"),
    [
        ({"offline": 7}, 200, "partitions offline rose from 0 to 7"),
        ({"failed": 1}, 201, f"worse_if holds: increase({FAILED}[1m]) > 0"),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_what_healed_and_does_harm_later_is_undone(
    change: dict[str, Any], at: int, words: str, restart: bool
) -> None:
    async def story() -> list[str]:
        stage = Stage(rules=judged(30_000, worse_if=f"increase({FAILED}[1m]) > 0"))
        stage.scenery = Cluster(stage.disk)
        await stage.start()
        await stage.play(100, used=0.9)
        if restart:
            await stage.crash()
            await stage.start()
        await stage.play(100)
        await stage.play(20, **change)
        told = stage.told()
        await stage.crash()
        return told

    told = run(story())
    assert kinds(told)[2:5] == ["17 healed", f"{at} worse", f"{at} undone"]
    assert words in told[3]


def test_after_a_restart_it_is_compared_with_what_is_read_first() -> None:
    """Of the cluster nothing is known in the first moment."""

    async def story() -> list[str]:
        stage = Stage(rules=judged(900_000), disk=Disk(helps=False))
        stage.scenery = Cluster(stage.disk)
        await stage.start()
        await stage.play(30, used=0.9)
        await stage.crash()
        await stage.start()
        await stage.play(30)
        await stage.play(20, offline=7)
        told = stage.told()
        await stage.crash()
        return told

    told = run(story())
    assert kinds(told)[2:4] == ["60 worse", "60 undone"]
    assert told[2].endswith("partitions offline rose from 0 to 7")


class Failing(Clear):
    """What fails this long (ms) after the start: a log dir, and some partitions."""

    book = SimpleNamespace(remedies={OF.alert: replace(REMEDY, worse_if=WORSE_IF)})

    def __init__(self, dir_after: float, partitions_after: float = 1e9) -> None:
        self._dir, self._partitions, self._begun = dir_after, partitions_after, 0
        self._sight = Sight(Rulebook((), {}, (), "none"), Series(HOUR), self.world, 1)
        self._sight.series.want({FAILED: HOUR})

    def world(self) -> World:
        """Of this instant."""
        failed = self._begun and boot_ms() - self._begun >= self._partitions
        return World(at=boot_ms(), asked=2, offline=7 if failed else 0)

    def view(self, *asked: Any, **more: Any) -> Any:
        """The real one."""
        return self._sight.view(*asked, **more)

    async def feed(self) -> None:
        """Twice a second from the start on."""
        self._begun = boot_ms()
        while True:
            now, ran = boot_ms(), asyncio.get_running_loop().time() * 1_000
            self._sight.take([Sample(FAILED, (), now, float(now - self._begun >= self._dir))], ran, now)
            await asyncio.sleep(0.5)


def carried(dir_after: float, partitions_after: float = 1e9) -> Incident:
    """A throttle, 20 s after its start: its first request is sent 2 s after that, since a broker hangs."""
    of = replace(OF, worse_if=WORSE_IF)
    ended = list[Incident]()

    async def story(fleet: Fleet) -> None:
        fleet.cluster.hung.add(6)
        carrier = await written_down(fleet, sight := Failing(dir_after, partitions_after), of)
        tasks = [asyncio.ensure_future(each) for each in (sight.feed(), carrier.carry())]
        await asyncio.sleep(1.5)
        assert not fleet.cluster.writes
        await asyncio.sleep(18.5)
        ended.append(carrier.incident)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    play(story)
    return ended[0]


@pytest.mark.parametrize(
    ("dir_after", "verdict"), [(1_000, None), (5_000, Kind.WORSE)], ids=["before", "after"]
)
def test_what_fails_before_the_first_request_is_none_of_its_work(
    dir_after: int, verdict: Kind | None
) -> None:
    """Its start is written down, and the world guard and the log are asked."""
    assert carried(dir_after).verdict == verdict


def test_nor_is_an_effect_undone_that_was_not_begun() -> None:
    """The gate refuses it: that is no verdict."""
    one = carried(1e9, partitions_after=1_000)
    assert (one.phase, one.verdict) == (Phase.REFUSED, None)
    assert "7 partitions are offline" in one.reason


def firing(expr: str) -> Sight:
    """A sight of one alert, which fires on for an hour."""
    rule = AlertRule("Full", expr, 0, HOUR, (), (), "g", PLACE)
    sight = Sight(Rulebook((rule,), {}, (), "none"), Series(HOUR), lambda: None, 1)
    sight.series.want({"used": HOUR})
    return sight


def own_value(sight: Sight, began: Freshness, now: int) -> float | None:
    """As it is compared."""
    of = replace(OF, labels=(("alertname", "Full"),))
    trigger = sight.view(of, began, None, now, now).trigger
    return trigger.value if trigger else None


@pytest.mark.parametrize(
    ("expr", "since"), [("used > 0.8", 60_000), ("max_over_time(used[1m]) > 0.8", 120_000), ("used", None)]
)
def test_its_own_value_is_by_nothing_from_before(expr: str, since: int | None) -> None:
    """The effect begins at 60 s; read each 15 s, and judged a moment later, by which it is meant."""
    sight, began, judged = firing(expr), Freshness(60_000, 60_000), None
    for now in range(1, 180_000, 15_000):
        sight.take([Sample("used", (), now, 1 + now / 1e6)], now)
        assert own_value(sight, began, now) == judged
        sight.judge(now, None, frozenset())
        judged = own_value(sight, began, now)
        assert judged == (1 + now / 1e6 if since and now > since else None)


def test_what_only_fires_on_has_no_value() -> None:
    sight, began = firing("used > 0.8"), Freshness(0, 0)
    for now, used in ((1, 0.9), (15_001, 0.5)):
        sight.take([Sample("used", (), now, used)], now)
        sight.judge(now, None, frozenset())
        assert sight.firing()
        assert own_value(sight, began, now) == (used if used > 0.8 else None)
