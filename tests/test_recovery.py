"""Undo without an agent and without the log (coordination.md section 8): fenced and settled all the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from claimed_drain import DRAIN, Copying
from fake_log import FakeLog
from fenced_cluster import TIMES, Cluster, boot_ms
from fenced_fleet import EFFECT, RATE, SET, UNSET
from full_journal import agent_without_room
from stories import decision

from agent.actions import Ports
from agent.control_topic import ControlTopic, Effects, Settings, Surroundings
from agent.daemon.fence import Fence
from agent.history import History, replay
from agent.journal import JournalFailed
from agent.model import Change, Effect, Entry, Kind, Operation, Policy
from agent.recovery import Undo, undo_all
from agent.rehearsal.virtual_time import run


@dataclass
class Ledger:
    """The journal's history, and what is written to it."""

    history: History
    full: bool = False
    written: list[Entry] = field(default_factory=list)

    async def record(self, entry: Entry) -> None:
        """Of agent.daemon.ledger.Ledger."""
        if self.full:
            raise JournalFailed("disk full")
        self.written.append(entry)


def began(*after: Kind, claim: int | None = 3, effect: Effect = EFFECT, name: str = "one") -> list[Entry]:
    """A throttle of the agent that died after the last of these entries."""
    of = decision(name, do=effect.action)
    started = Entry(0, Kind.STARTED, "so", of.incident, decision=of, effect=effect, claim=claim)
    return [started, *(Entry(1 + n, kind, "so", of.incident) for n, kind in enumerate(after))]


def standing(*after: Kind, effect: Effect = EFFECT) -> History:
    """What is left of it."""
    return replay(began(*after, effect=effect))


@dataclass
class Scene:
    """A cluster in which the throttle stands, and what an undo of it came to."""

    cluster: Cluster = field(default_factory=Cluster)
    log: FakeLog = field(default_factory=lambda: FakeLog(boot_ms))
    stop: str | None = None
    full: bool = False  # the journal
    told: list[str] = field(default_factory=list)
    took: int = 0  # ms
    written: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster.values |= {key: dict(values) for key, values in SET.items()}

    def undo(self, history: History) -> list[Entry]:
        """The entries that are shown."""
        return run(self._undo(history))

    async def _undo(self, history: History) -> list[Entry]:
        settings = Settings("broker-1", "h", times=TIMES, create=True)
        control = ControlTopic(self.log, settings, Surroundings(boot_ms, boot=boot_ms))
        await control.close()
        any_, cluster = cast(Any, None), cast(Any, self.cluster)
        fence = Fence(control, Effects(control, cluster), cluster, self._process)
        ports = Ports(cluster, 1, any_, Policy(), boot_ms, asyncio.sleep, any_)
        ledger: Any = Ledger(history, self.full)
        begun = boot_ms()
        shown = await Undo(ports, fence, self._stopped, self.told.append).everything(ledger)
        self.took, self.written = boot_ms() - begun, ledger.written
        return shown

    async def _process(self, node: int) -> str | None:
        return None

    async def _stopped(self) -> str | None:
        return self.stop


def test_what_stands_is_put_back_by_fenced_requests_and_nothing_is_written_to_the_log() -> None:
    scene = Scene()
    (entry,) = scene.undo(standing(Kind.DONE))
    assert (entry.kind, entry.reason) == (Kind.UNDONE, "undone offline")
    assert [each.kind for each in scene.written] == [Kind.UNDOING, Kind.UNDONE]
    assert scene.cluster.values == UNSET
    assert scene.cluster.writes == 2
    assert scene.log.records == []
    assert scene.took < 10_000  # all was answered, and the dead agent had nothing under way


def test_what_the_dead_agent_sent_last_is_waited_for_and_put_back() -> None:
    """It died while it applied its effect: the request may be executed when this undo is long done."""
    scene = Scene()
    scene.cluster.values["broker/1"] = {}

    async def late() -> list[Entry]:
        lands = scene.cluster.values["broker/1"].__setitem__
        asyncio.get_running_loop().call_later(50, lands, RATE.key, str(RATE.new))
        return await scene._undo(standing())

    (entry,) = run(late())
    assert entry.kind is Kind.UNDONE
    assert scene.cluster.values == UNSET
    assert scene.took >= TIMES.act + TIMES.e_controller
    assert scene.told[0].startswith("a request is in doubt: it may land for another")


def test_a_move_that_begins_late_is_cancelled() -> None:
    """Its limit is put back by then: the copy would go on without one, and nobody would know of it."""
    cluster = Copying()
    scene = Scene(cluster)
    cluster.values["broker/1"] = {}

    async def late() -> list[Entry]:
        asyncio.get_running_loop().call_later(50, cluster.late_move)
        return await scene._undo(standing(effect=DRAIN))

    (entry,) = run(late())
    assert entry.kind is Kind.UNDONE
    assert cluster.moved
    assert cluster.disks.futures == {}


def test_the_stop_file_stops_it() -> None:
    scene = Scene(stop="the stop file stands: hands off")
    (entry,) = scene.undo(standing(Kind.DONE))
    assert (entry.kind, entry.reason) == (Kind.FAILED, "not undone: the stop file stands: hands off")
    assert scene.cluster.values == SET
    assert scene.written == []


def test_section_8_what_does_not_tell_whose_it_is_waits_for_the_log() -> None:
    scene = Scene()
    cleared = Change("broker/1", RATE.key, Operation.DELETE, "5000000", None)
    effect = Effect("clear_leftover_throttle", "broker-1", (cleared,))
    scene.cluster.values["broker/1"] = {}
    (entry,) = scene.undo(standing(Kind.DONE, effect=effect))
    assert entry.kind is Kind.FAILED
    assert f"does not tell whose {RATE.key} of broker/1 is: it waits for the log" in entry.reason
    assert scene.cluster.writes == 0


def test_what_was_not_undone_stays_the_agents() -> None:
    scene = Scene()
    scene.cluster.dead.add(1)
    (entry,) = scene.undo(standing(Kind.DONE))
    assert entry.kind is Kind.FAILED
    assert [each.kind for each in scene.written] == [Kind.UNDOING]


def test_a_journal_that_cannot_be_written_keeps_nothing_from_being_put_back() -> None:
    """One after the other, all that stand; it is said that they are shown as standing."""
    listed, rate = EFFECT.changes
    one = began(Kind.DONE, effect=Effect(EFFECT.action, "broker-1", (listed,)))
    other = began(Kind.DONE, effect=Effect(EFFECT.action, "broker-1", (rate,)), claim=4, name="other")
    scene = Scene(full=True)
    shown = scene.undo(replay([*one, *other]))
    assert [each.kind for each in shown] == [Kind.UNDONE, Kind.UNDONE]
    assert {each.reason for each in shown} == {
        "undone offline; shown as standing, since that cannot be written down: disk full"
    }
    assert scene.cluster.values == UNSET


async def test_the_order_itself_need_not_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real journal without room: it comes to asking the broker, which is not there."""
    config = await agent_without_room(tmp_path, monkeypatch, *began(Kind.DONE, claim=None))
    (entry,) = await asyncio.to_thread(undo_all, config, 2, print)
    assert entry.kind is Kind.FAILED
    assert "not undone: the cluster (127.0.0.1:1) is unreachable" in entry.reason


def test_an_offline_undo_that_died_in_its_midst_is_in_doubt() -> None:
    """It was written down before its first request, and so is not written again."""
    scene = Scene()
    (entry,) = scene.undo(standing(Kind.DONE, Kind.UNDOING))
    assert scene.written == [entry]
    assert scene.cluster.values == UNSET
    assert scene.took >= TIMES.act + TIMES.e_controller


def test_a_request_that_stalls_before_it_leaves_is_killed() -> None:
    scene = Scene()
    armed = scene.cluster.arm
    at: list[int] = []

    def arm(when: int) -> Any:
        at.append(when - boot_ms())
        return armed(when)

    cluster: Any = scene.cluster
    cluster.arm = arm
    scene.undo(standing(Kind.DONE))
    assert at == [TIMES.act, TIMES.act]
