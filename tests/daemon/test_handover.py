"""An agent that hands over: what it holds is its successor's, which comes when it comes."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fenced_cluster import TIMES
from fenced_fleet import EFFECT, SET, UNSET, Fleet, play
from full_journal import CONFIG
from stories import decision

from agent.assembly.service import make_service
from agent.config import load
from agent.control.adopter import OTHERS
from agent.journal import Journal
from agent.model import Entry, Kind

COMES_S = (TIMES.w - TIMES.beat_busy + OTHERS) / 1_000 - 1


@pytest.mark.parametrize(("leave", "pause", "kept"), [(False, COMES_S, True), (True, COMES_S, False)])
def test_peers_leave_what_stands_to_the_successor_of_who_ended_without_a_word(
    leave: bool, pause: float, kept: bool
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        one = fleet.agents[1]
        for task in one.tasks:
            task.cancel()
        await one.control.close(leave=leave)
        await asyncio.sleep(pause)
        successor = await fleet.start(1)
        successor.claims.add(fleet.claim)
        await asyncio.sleep(300)
        assert fleet.cluster.values == (SET if kept else UNSET)
        held = successor.control.claim_called(fleet.claim)
        assert (held.holder if held else None) == ("broker-1" if kept else None)

    play(story)


class Told:
    """A control topic that is asked to end."""

    left: bool | None = None

    async def close(self, *, leave: bool) -> None:
        """As it is told."""
        self.left = leave


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's path."""
    path = Path(tempfile.mkdtemp(prefix="ottla-"))
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize(
    ("handover", "claim", "left"), [(True, 3, False), (True, None, True), (False, 3, True)]
)
async def test_it_leaves_the_log_but_where_a_successor_takes_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch, handover: bool, claim: int | None, left: bool
) -> None:
    """Of what needs no claim no peer knows."""
    monkeypatch.setattr("agent.daemon.crew.UNDO_S", 0.1)  # no broker is there to undo it at
    (folder / "rules").mkdir()
    (folder / "rules" / "alerts.yml").write_text("groups: []\n")
    (folder / "ottla.yml").write_text(CONFIG.format(folder=folder))
    journal, of = Journal(folder / "state"), decision(do=EFFECT.action)
    await journal.open()
    begun = Entry(0, Kind.STARTED, "so", of.incident, decision=of, effect=EFFECT, claim=claim)
    await journal.append(begun, Entry(1, Kind.DONE, "so", of.incident))
    await journal.close()
    service = await make_service(load(folder / "ottla.yml"))
    control: Any = Told()

    def ready(address: str) -> None:
        service.control, service.desk.handover = control, handover
        service.desk.end.set()

    async with asyncio.timeout(60):
        await service.run(ready)
    assert control.left is left
