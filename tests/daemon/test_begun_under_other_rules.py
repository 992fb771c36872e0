"""What has begun goes on as it was decided, though a reload or a restart removed or renamed its alert."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from claiming_stage import reload
from full_journal import CONFIG
from msgspec.structs import replace
from stage import PLACE, Disk, DiskScenery, Stage, book, kinds
from stories import decision, entry

from agent.actions import NotKnown
from agent.assembly import service
from agent.assembly.service import make_reload, make_service
from agent.config import load
from agent.daemon.last_look import last_look
from agent.daemon.reload import Rules
from agent.daemon.sight import Sight
from agent.gate import World
from agent.journal import Journal
from agent.model import Kind, Limits, RecordRule, Refusal, Sample, Verify, labels_of
from agent.rehearsal.virtual_time import run
from agent.rulebook import Rulebook
from agent.sources.names import Names

OTHER_RULE = "groups: [{name: g, rules: [{alert: Other, expr: other > 1}]}]\n"
VERIFIED = Verify('max_over_time(calm{path="$path"}[10m]) > 0.3', 60_000, 5_000)


class Calm(DiskScenery):
    """What only the verification reads is there as long as rules name it, as sources see to that."""

    names: frozenset[str] | None = None

    async def read(self, now: int) -> list[Sample]:
        """Two series."""
        calm = Sample("calm", labels_of({"path": "/d1"}), now, 1 - self.disk.used)
        every = [*await super().read(now), calm]
        return [each for each in every if self.names is None or each.name in self.names]


def begun() -> Rulebook:
    """Its remedy helps later than the reload comes."""
    rules = book(lease_ms=600_000)
    (step,) = rules.remedies["Full"].steps
    return replace(
        rules, remedies={"Full": replace(rules.remedies["Full"], steps=(replace(step, verify=VERIFIED),))}
    )


def renamed(rules: Rulebook) -> Rulebook:
    """Its alert has another name."""
    remedy = replace(rules.remedies["Full"], alert="DiskFull")
    return Rulebook((replace(rules.alerts[0], name="DiskFull"),), {"DiskFull": remedy}, (), "renamed")


def unremedied(rules: Rulebook) -> Rulebook:
    """Nothing is done for it any more."""
    return replace(rules, remedies={}, digest="unremedied")


OTHERS = pytest.mark.parametrize("others", [renamed, unremedied, lambda _: Rulebook((), {}, (), "none")])


async def verifying(rules: Rulebook | None = None) -> Stage:
    """It is being verified, and has not helped yet."""
    stage = Stage(rules=rules or begun(), disk=Disk(helps=False))
    stage.scenery = Calm(stage.disk)
    await stage.start()
    await stage.play(12, used=0.9)
    assert kinds(stage.told()) == ["started", "done"], stage.told()
    return stage


@OTHERS
def test_its_verification_is_read_on(others: object) -> None:
    async def story() -> list[str]:
        stage = await verifying()
        assert callable(others)
        reload(stage, others(begun()))
        await stage.play(5, names=stage.daemon.sight.names)
        await stage.play(20, used=0.5)
        await stage.crash()
        return kinds(stage.told())

    assert "healed" in run(story())


def recording(rules: Rulebook) -> Rulebook:
    """What verifies is recorded by two rules, one of which reads the other's series."""
    records = (RecordRule(name, expr, (), "g", PLACE) for name, expr in (("rest", "calm"), ("ease", "rest")))
    remedy, check = rules.remedies["Full"], replace(VERIFIED, expr='ease{path="$path"} > 0.3')
    remedy = replace(remedy, steps=(replace(remedy.steps[0], verify=check),))
    return replace(rules, rules=(*records, *rules.rules), remedies={"Full": remedy})


def test_what_verifies_it_is_recorded_on() -> None:
    """Until the next reload after it has ended."""

    async def story() -> tuple[list[str], list[str]]:
        stage = await verifying(recording(begun()))
        none = Rulebook((), {}, (), "none")
        reload(stage, none)
        reload(stage, none)
        await stage.play(5, names=stage.daemon.sight.names)
        await stage.play(20, used=0.5)
        told = kinds(stage.told())
        await stage.play(600)
        reload(stage, none)
        left = [rule.name for rule in stage.daemon.sight.book.rules]
        await stage.crash()
        return told, left

    told, left = run(story())
    assert "healed" in told
    assert left == []


@dataclass
class Eyes:
    """Those of a stage: its sources read whatever rules name."""

    stage: Stage

    def sight(self, rules: Rules) -> Sight:
        """What these make of its samples."""
        return Sight(rules.book, self.stage.daemon.sight.series, self.stage.scenery.world, 1)

    def look(self, rules: Rules, sight: Sight) -> None:
        """What they name is kept."""
        sight.series.want(sight.windows)


def test_what_begins_while_a_reload_is_prepared_is_recorded_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of rules take seconds in their thread; what was found standing before them is not all."""

    async def story() -> list[str]:
        stage = Stage(rules=recording(begun()), disk=Disk(helps=False))
        stage.scenery = Calm(stage.disk)
        monkeypatch.setattr(service, "clock", stage.now)
        await stage.start()
        unread: Any = None
        means = make_reload(unread, cast(Any, Eyes(stage)), stage.daemon, stage.means.ledger)
        none = Rules(Rulebook((), {}, (), "none"), Names({}))
        install = means.prepare(none)
        await stage.play(12, used=0.9)
        assert not install(), "the rules in force stay until others are prepared for what has begun"
        assert stage.daemon.sight.book.remedies
        install = means.prepare(none)
        assert install()
        await stage.play(20, used=0.5)
        await stage.crash()
        return kinds(stage.told())

    assert run(story())[:3] == ["started", "done", "healed"]


@OTHERS
def test_no_rules_object_to_one_more_effect(others: object) -> None:
    """A drain would be left half done. That it does not begin any more is the gate's answer still."""

    async def story() -> tuple[Refusal | None, Refusal | None]:
        stage = await verifying()
        assert callable(others)
        reload(stage, others(begun()))
        (one,) = stage.means.ledger.history.standing()
        on, anew = [await last_look(stage.means, one, begun=b) for b in (True, False)]
        await stage.crash()
        return on, anew

    assert run(story()) == (None, Refusal("mode", "the rules have no remedy for Full any more"))


@pytest.mark.parametrize("world", [None, World(0, 2)])
def test_a_silent_source_keeps_one_more_effect_waiting_and_a_first_one_from_beginning(
    world: World | None,
) -> None:
    """What is not known is no reason to leave half of it; what is seen is."""

    async def story() -> tuple[Refusal | None, Refusal | None]:
        rules = begun()
        stage = await verifying(
            replace(rules, remedies={"Full": replace(rules.remedies["Full"], limits=Limits(cooldown_ms=0))})
        )
        stage.daemon.sight.world = lambda: world
        (one,) = stage.means.ledger.history.standing()
        with pytest.raises(NotKnown, match="the cluster's state is not known"):
            await last_look(stage.means, one, begun=True)
        anew = await last_look(stage.means, one)
        stage.daemon.sight.world = lambda: World(stage.now(), 2, fenced=frozenset({3}))
        seen = await last_look(stage.means, one, begun=True)
        await stage.crash()
        return anew, seen

    assert run(story()) == (
        Refusal("healthy elsewhere", "the cluster's state is not known"),
        Refusal("healthy elsewhere", "broker 3 is down: one patient at a time"),
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's path."""
    path = Path(tempfile.mkdtemp(prefix="ottla-"))
    yield path
    shutil.rmtree(path)


async def test_agents_read_it_on_after_a_start_and_a_reload(folder: Path) -> None:
    """As long as its window says."""
    (folder / "rules").mkdir()
    rules = folder / "rules" / "alerts.yml"
    rules.write_text(OTHER_RULE.replace("rules: [", "rules: [{record: ill, expr: worst}, "))
    (folder / "ottla.yml").write_text(CONFIG.format(folder=folder))
    journal = Journal(folder / "state")
    await journal.open()
    filled = replace(VERIFIED, expr=VERIFIED.expr.replace("$path", "/d1"))
    of = replace(decision(do="drain_disk"), verify=filled, worse_if="bad > 0 or ill > 0")
    await journal.append(entry(1, Kind.STARTED, of=of), entry(2, Kind.DONE))
    await journal.close()
    service = await make_service(load(folder / "ottla.yml"))

    def kept(at: int) -> set[str]:
        sight = service.daemon.sight
        taken = sight.take(
            [Sample(name, (), at, 1.0) for name in ("calm", "bad", "worst", "other", "idle")]
        ).names
        assert sight.windows["calm"] >= 600_000
        return set(taken)

    assert kept(1_000) == {"calm", "bad", "worst", "other"}
    rules.write_text(OTHER_RULE.replace("other", "another"))
    assert (await service.desk.reload(dry_run=False, by="ann"))["ok"]
    assert kept(2_000) == {"calm", "bad", "worst"}
    await service.journal.close()
