"""Reloads on real files: all or nothing, one after the other, and nothing of it on the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.config.rule_files import RuleFiles
from agent.daemon.reload import Means, Reload, Rules
from agent.families import written
from agent.history import History
from agent.journal import JournalFailed
from agent.promql import BadExpression
from agent.rulebook.stamps import Stamp

BETTER = ALERTS.replace("0.85", "0.9")
BAD = ALERTS.replace("expr:", "exprr:")


@dataclass
class Bench:
    """An agent that remembers what was put in force and what was written down; `now` goes on by a second."""

    files: RuleFiles
    said: list[str] = field(default_factory=list)
    in_force: list[Rules] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    now: int = 0
    stale: int = 0  # so many preparations are by the time they are put in force

    def reload(self) -> Reload:
        """A Reload of these files as they are."""
        return Reload(Means(self, self.prepare, History, self.say, self.clock), self.read(), self.stamp())

    def stamp(self) -> Stamp:
        return self.files.stamp()

    def read(self) -> Rules:
        self.threads.append(threading.current_thread().name)
        return self.files.read()

    def prepare(self, rules: Rules) -> Callable[[], bool]:
        self.threads.append(threading.current_thread().name)

        def install() -> bool:
            self.stale -= 1
            if self.stale < 0:
                self.in_force.append(rules)
            return self.stale < 0

        return install

    def clock(self) -> int:
        self.now += 1000
        return self.now

    async def say(self, reason: str) -> None:
        self.said.append(reason)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(RuleFiles(SPECS, (write(tmp_path, alerts=ALERTS, remedies=REMEDIES),)))


async def test_good_rules_are_put_in_force_and_written_down(bench: Bench, tmp_path: Path) -> None:
    """With what they change."""
    reload = bench.reload()
    write(tmp_path, alerts=BETTER)

    answer = await reload.reload(dry_run=False, by="test")

    assert (answer["ok"], answer["complaints"]) == (True, [])
    assert [change["name"] for change in answer["changes"]["rules"]] == ["LogDirFillingUp"]
    assert [rules.book.alerts[0].expr for rules in bench.in_force] == ["host_log_dir_used_ratio > 0.9"]
    assert bench.said == [f"rules {reload.rules.book.digest} loaded (test): 1 alerts"]
    assert reload.last is not None
    assert reload.last["ok"]


async def test_bad_rules_change_nothing_and_all_that_is_wrong_is_told(bench: Bench, tmp_path: Path) -> None:
    """Of every file at once, that of the names too; the series say it."""
    bench.files = RuleFiles(SPECS, bench.files.rules, tmp_path / "names.yml")
    (tmp_path / "names.yml").write_text("metrics: {}\n")
    reload = bench.reload()
    (tmp_path / "names.yml").write_text("metrcs: {}\n")
    write(tmp_path, alerts=BAD)

    answer = await reload.reload(dry_run=False, by="test")

    assert not answer["ok"]
    assert [c.rpartition("/")[2].partition(":")[0] for c in answer["complaints"]] == [
        "alerts.yml",
        "alerts.yml",
        "names.yml",
    ]
    assert bench.in_force == []
    assert bench.said[0].startswith("rules refused (test), the old ones stay in force: 3 problems, the first")
    told = exposed(reload)
    assert 'ottla_rules_reloads_total{result="refused"} 1.0' in told
    assert "ottla_rules_reload_successful 0.0" in told


async def test_a_journal_that_cannot_be_written_keeps_no_rules_from_being_taken(
    bench: Bench, tmp_path: Path
) -> None:
    """Nor is the order answered as if they had not been; the answer says that it was not written down."""

    async def say(reason: str) -> None:
        raise JournalFailed("disk full")

    bench.say = say  # type: ignore[method-assign]
    reload = bench.reload()
    for rules, ok in ((BAD, False), (BETTER, True)):
        write(tmp_path, alerts=rules)

        answer = await reload.reload(dry_run=False, by="test")

        assert (answer["ok"], bool(answer["complaints"])) == (ok, not ok)
        assert answer["remark"] == "the journal does not have it: disk full"
        assert len(bench.in_force) == ok

    assert (await reload.reload(dry_run=True, by="test"))["remark"] == ""


async def test_bad_then_good_then_bad(bench: Bench, tmp_path: Path) -> None:
    """Each is told as it comes, and the good ones are in force from the second on."""
    reload = bench.reload()
    for text, ok in ((BAD, False), (BETTER, True), (BAD, False)):
        write(tmp_path, alerts=text)
        assert (await reload.reload(dry_run=False, by="test"))["ok"] is ok

    assert [words.split()[1] for words in bench.said] == ["refused", reload.rules.book.digest, "refused"]
    assert len(bench.in_force) == 1
    told = exposed(reload)
    assert 'ottla_rules_reloads_total{result="taken"} 1.0' in told
    assert "ottla_rules_reload_success_timestamp_seconds 2.0" in told


async def test_a_dry_run_leaves_no_trace(bench: Bench, tmp_path: Path) -> None:
    """Neither in the journal nor in what a watch compares with: the change is still to be taken."""
    reload = bench.reload()
    before = reload.seen
    write(tmp_path, alerts=BETTER)

    good = await reload.reload(dry_run=True, by="test")
    write(tmp_path, alerts=BAD)
    bad = await reload.reload(dry_run=True, by="test")

    assert (good["ok"], bad["ok"]) == (True, False)
    assert good["changes"]["rules"]
    assert (bench.said, bench.in_force, reload.last, reload.seen) == ([], [], None, before)


async def test_what_brings_nothing_new_is_not_written_down_again(bench: Bench, tmp_path: Path) -> None:
    """A file touched without a change, the same mistake saved twice; but the end of a refusal is news."""
    reload = bench.reload()

    async def saved(text: str) -> int:
        write(tmp_path, alerts=text)
        await reload.reload(dry_run=False, by="watch", only_news=True)
        return len(bench.said)

    assert [await saved(text) for text in (ALERTS, BAD, BAD, ALERTS, ALERTS, BETTER)] == [0, 1, 1, 2, 2, 3]
    assert reload.refused == 1


async def test_nothing_is_read_or_made_on_the_event_loop(bench: Bench, tmp_path: Path) -> None:
    """500 rules take their time."""
    reload = bench.reload()
    bench.threads.clear()
    write(tmp_path, alerts=BETTER)

    await reload.reload(dry_run=False, by="test")

    assert len(bench.threads) == 2
    assert threading.main_thread().name not in bench.threads


async def test_rules_are_prepared_again_where_something_began_meanwhile(bench: Bench, tmp_path: Path) -> None:
    """Until what was prepared is right for it; nothing of what is not is in force."""
    reload = bench.reload()
    bench.stale = 2
    write(tmp_path, alerts=BETTER)

    answer = await reload.reload(dry_run=False, by="test")

    assert answer["ok"]
    assert len(bench.in_force) == 1
    assert len(bench.said) == reload.taken == 1


async def test_a_reload_that_comes_during_another_reads_anew(bench: Bench, tmp_path: Path) -> None:
    """What is saved while the first one reads is in force when the second one answers."""
    reload = bench.reload()
    reading, go_on = threading.Event(), threading.Event()
    real = bench.files

    @dataclass(frozen=True)
    class Slow(RuleFiles):
        def read(self) -> Rules:
            rules = real.read()
            reading.set()
            assert go_on.wait(10), "nobody let the first reading go on"
            return rules

    bench.files = Slow(SPECS, real.rules)
    first = asyncio.create_task(reload.reload(dry_run=False, by="first"))
    assert await asyncio.to_thread(reading.wait, 10), "the first reading did not begin"
    second = asyncio.create_task(reload.reload(dry_run=False, by="second"))
    await asyncio.sleep(0)
    write(tmp_path, alerts=BETTER)
    go_on.set()
    await asyncio.gather(first, second)

    assert [words.rpartition("(")[2] for words in bench.said] == ["first): 1 alerts", "second): 1 alerts"]
    assert reload.rules.book.alerts[0].expr == "host_log_dir_used_ratio > 0.9"


@pytest.mark.parametrize("lasting", [1, 99], ids=["once", "always"])
async def test_files_that_change_while_they_are_read_are_read_again(
    bench: Bench, tmp_path: Path, lasting: int
) -> None:
    """Half of one version and half of another may look good; after a few tries it is refused, in words."""
    reload = bench.reload()
    saves = iter(range(lasting))
    real = bench.files

    @dataclass(frozen=True)
    class Restless(RuleFiles):
        def read(self) -> Rules:
            rules = real.read()
            for number in saves:
                write(tmp_path, alerts=BETTER.replace("0.9", f"0.9{number}"))
                break
            return rules

    bench.files = Restless(SPECS, real.rules)

    answer = await reload.reload(dry_run=False, by="test")

    if lasting == 1:
        assert reload.rules.book.alerts[0].expr.endswith("0.90")
    else:
        assert answer["complaints"] == [
            "the files change while they are read: they are read again when they rest"
        ]
        assert reload.seen != bench.stamp(), "a watch would not come back"


async def test_a_folder_that_may_not_be_read_or_is_gone_is_a_refusal(bench: Bench, tmp_path: Path) -> None:
    """An unmounted volume leaves the rules in force."""
    reload = bench.reload()
    (tmp_path / "disk").rename(tmp_path / ".elsewhere")

    answer = await reload.reload(dry_run=False, by="test")

    assert answer["complaints"] == [f"{tmp_path}:1:1: this holds no alerts.yml, remedies.yml or logs.yml"]


async def test_a_fault_of_the_reading_is_a_refusal(bench: Bench, tmp_path: Path) -> None:
    """The agent goes on by the rules in force, though a file brings out a mistake of ours."""
    reload = bench.reload()
    real = bench.files

    @dataclass(frozen=True)
    class Faulty(RuleFiles):
        def read(self) -> Rules:
            raise BadExpression("illegal regex")

    bench.files = Faulty(SPECS, real.rules)
    write(tmp_path, alerts=BETTER)

    answer = await reload.reload(dry_run=False, by="test")

    assert answer["complaints"] == ["a fault of the agent's, see its log: BadExpression: illegal regex"]
    assert (reload.seen, bench.in_force) == (bench.stamp(), [])


def exposed(reload: Reload) -> str:
    """Its series as text."""
    return written(reload.collect()).decode()
