"""What keeps the agent from acting is told wherever somebody asks: status, readiness, metrics, rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace
from served_stage import Served, served, until
from stage import Brake, Disk, DiskScenery, Stage, book
from stories import decision, entry

from agent.commands.show import unwell
from agent.daemon.own_hindrances import hindered
from agent.daemon.own_series import exposition
from agent.daemon.sight import Sight
from agent.history import replay
from agent.model import Change, Effect, Entry, Kind, Operation, Seen
from agent.rehearsal.stage import START_MS
from agent.series import Series
from agent.sources.hindrances import METRICS, Hindrances

BREAKER = "the breaker is open: 3 actions in a row did not heal (ottla resume closes it)"
BRAKED = Effect("brake", "broker-1", (Change("disk/1", "brake", Operation.SET, None, "on"),))
FREE = {metric.name: 0.0 for metric in METRICS}


def life(n: int, *kinds: Kind) -> list[Entry]:
    """Entries of one incident of that action, a millisecond each."""
    of = decision(f"Full//d{n}@{n}", do="brake")
    told = [entry(START_MS + 10 * n + at, kind, of=of) for at, kind in enumerate(kinds)]
    return [replace(e, effect=BRAKED, until=e.at + 1) if e.kind is Kind.STARTED else e for e in told]


def in_vain(n: int) -> list[Entry]:
    """One action that did not help."""
    return life(n, Kind.STARTED, Kind.DONE, Kind.NO_BETTER, Kind.UNDONE, Kind.CLOSED)


async def told(agent: Served) -> tuple[list[str], int, str, dict[str, float]]:
    """What status calls unwell, the readiness with its words, and the gauges."""
    _, status = await agent.get("/api/v1/status")
    code, ready = await agent.get("/readyz")
    every = await agent.gauges()
    return unwell(status), code, ready["why"], {name: every[name] for name in FREE}


async def test_an_agent_that_nothing_hinders(tmp_path: Path) -> None:
    async with served(Stage(rules=book()), tmp_path) as agent:
        assert await told(agent) == ([], 200, "ready", FREE)


async def test_an_open_breaker_is_told_until_a_person_resumes(tmp_path: Path) -> None:
    before = [e for n in range(3) for e in in_vain(n)]
    async with served(Stage(rules=book()), tmp_path, before[:-5]) as agent:
        assert await told(agent) == ([], 200, "ready", FREE)
    async with served(Stage(rules=book()), tmp_path, before) as agent:
        assert await told(agent) == ([BREAKER], 503, BREAKER, {**FREE, "ottla_breaker_open": 1})
        await agent.order("resume")
        assert await told(agent) == ([], 200, "ready", FREE)


async def test_a_stop_file_and_a_pause_are_told(tmp_path: Path) -> None:
    stage = Stage(rules=book())
    async with served(stage, tmp_path) as agent:
        stage.stop_file = ""
        words = "the stop file stands: no reason given"
        well, *rest = await told(agent)
        assert well == ["stopped: the stop file gives no reason"]
        assert rest == [503, words, {**FREE, "ottla_stopped": 1}]
        stage.stop_file = None
        await agent.order("pause", reason="rack 3 moves")
        (line,), code, why, gauges = await told(agent)
        assert line.startswith("paused: rack 3 moves (")
        assert (code, why, gauges) == (503, line, {**FREE, "ottla_paused": 1})


class Refused(Brake):
    """The broker takes no undo."""

    plan = Brake.plan  # the action's schema is looked for in its own class

    async def undo(self, effect: Effect, ports: Any) -> Seen:
        """Never."""
        raise RuntimeError("CLUSTER_AUTHORIZATION_FAILED")


async def test_an_undo_that_fails_is_told_while_its_lease_is_long_over(tmp_path: Path) -> None:
    stage = Stage(rules=book(), disk=Disk(brake="on"))
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Refused(stage.disk)}
    before = life(1, Kind.STARTED, Kind.DONE, Kind.HEALED)
    async with served(stage, tmp_path, before) as agent:
        await until("the undo to fail", lambda: any(c.trouble for c in stage.daemon.carriers.values()))
        words = f"{before[0].incident} does not go on: RuntimeError: CLUSTER_AUTHORIZATION_FAILED"
        assert await told(agent) == ([words], 200, "ready", {**FREE, "ottla_troubled_incidents": 1})


async def test_a_rule_reads_the_same(tmp_path: Path) -> None:
    stage = Stage(rules=book())
    stage.stop_file = "frozen"
    async with served(stage, tmp_path) as agent:

        async def ask() -> dict[str, float]:
            return (await hindered(agent.desk.means, agent.desk.daemon.carriers)).values()

        source = Hindrances(ask, 1_000)
        assert await source.read(5) == []
        source.wanted = frozenset({"ottla_breaker_open"})
        assert {s.name: s.value for s in await source.read(5)} == {**FREE, "ottla_stopped": 1}


def test_a_closed_incident_is_not_counted_as_an_open_one() -> None:
    """It is kept for a while, as its alert may come again."""
    known = replay([*in_vain(0), *life(1, Kind.STARTED)])
    text = exposition(known, Sight(book(), Series(1), lambda: None, 1), ()).decode()
    counted = [line for line in text.splitlines() if line.startswith("ottla_incidents{")]
    assert (len(known.incidents), counted) == (2, ['ottla_incidents{phase="acting"} 1.0'])
