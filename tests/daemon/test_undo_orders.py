"""What `ottla undo` is answered by a live agent, over its real socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import pytest
from msgspec.structs import replace
from served_stage import Served, served
from stage import Brake, Disk, DiskScenery, Stage, book
from stories import decision, entry

from agent.commands.reach import Reach, order
from agent.daemon import own_orders
from agent.model import Change, Effect, Entry, Kind, Operation, Seen
from agent.rehearsal.stage import START_MS
from agent.web import client

OF = decision(do="brake")
BRAKED = Effect("brake", "broker-1", (Change("disk/1", "brake", Operation.SET, None, "on"),))
STARTED = replace(entry(START_MS, Kind.STARTED, of=OF), effect=BRAKED, until=START_MS + 10**15)
STANDS = (STARTED, entry(START_MS + 1, Kind.DONE, of=OF), entry(START_MS + 2, Kind.HEALED, of=OF))


class Stuck(Brake):
    """The broker takes no undo."""

    plan = Brake.plan  # the action's schema is looked for in its own class

    async def undo(self, effect: Effect, ports: Any) -> Seen:
        """Never."""
        raise RuntimeError("no broker answers")


def braked() -> Stage:
    """An agent whose brake stands."""
    return Stage(rules=book(), disk=Disk(brake="on"))


async def undo(agent: Served) -> Any:
    """As the command orders it."""
    async with asyncio.timeout(20):
        return await asyncio.to_thread(order, Reach(agent.socket, None), "undo", all=True)


async def test_what_was_undone_is_told_whatever_was_written_before(tmp_path: Path) -> None:
    """So many entries that the agent shows no more of them, and they are pushed out."""
    async with served(braked(), tmp_path, STANDS) as agent:
        agent.desk.means.ledger.entries.extend(Entry(n, Kind.AGENT, "x") for n in range(5_001))
        told = await undo(agent)
        assert (told[0]["incident"], told[0]["kind"]) == (OF.incident, "undone")
        assert agent.stage.disk.brake is None
        assert await undo(agent) == []


async def test_it_is_refused_at_once_under_the_stop_file(tmp_path: Path) -> None:
    async with served(braked(), tmp_path, STANDS) as agent:
        agent.stage.stop_file = "disks are exchanged"
        words = "nothing is put back, as the stop file stands: disks are exchanged; order it again"
        with pytest.raises(click.ClickException, match=words):
            await undo(agent)
        assert agent.stage.disk.brake == "on"
        agent.stage.stop_file = None
        assert (await undo(agent))[0]["kind"] == "undone"


async def test_the_agents_own_words_come_before_the_command_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both waited equally long, and the order is written down before the agent begins to wait."""
    spare = client.ORDER_S - own_orders.UNDO_S
    assert spare > 10
    assert client.ORDER_S < 100, "a connection is cut after 120 s"
    monkeypatch.setattr(own_orders, "UNDO_S", 0.5)
    monkeypatch.setattr(client, "ORDER_S", 0.5 + spare)
    stage = braked()
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Stuck(stage.disk)}
    async with served(stage, tmp_path, STANDS) as agent:
        with pytest.raises(
            click.ClickException, match=r"not undone within 0\.5 s and still tried"
        ) as refused:
            await undo(agent)
        assert refused.value.exit_code == 1
