"""Changed files are found however they came to change, and read once they rest."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hung_files import LOOKS, assert_threads_are_free, hung
from hypothesis import given
from hypothesis import strategies as st
from rule_files import ALERTS, SPECS

from agent.config.rule_files import RuleFiles
from agent.daemon import reload
from agent.daemon.reload import Means, Reload, Rules
from agent.daemon.rule_watch import Rest, RuleWatch
from agent.history import History
from agent.rulebook.stamps import Stamp, stamp

BETTER = ALERTS.replace("0.85", "0.95")  # of the same length: the size tells nothing
BAD = ALERTS.replace("expr:", "exprr:")
_ONE: Stamp = (("a", 1, 1, 1, 1, 1),)
_TWO: Stamp = (("a", 1, 2, 1, 1, 1),)


def test_a_change_is_taken_when_it_has_rested() -> None:
    """Every further change begins the wait anew."""
    rest = Rest(2)

    assert not rest.come(_ONE, _ONE, 0)
    assert [rest.come(_TWO, _ONE, now) for now in (1, 2, 2.9)] == [False, False, False]
    assert [rest.come(each, _ONE, now) for each, now in ((_TWO + _ONE, 3), (_TWO, 4), (_TWO, 6))] == [
        False,
        False,
        True,
    ]


def test_what_changes_back_is_no_change() -> None:
    """A checkout of another branch and back."""
    rest = Rest(2)

    assert [rest.come(each, _ONE, now) for each, now in ((_TWO, 0), (_ONE, 1), (_ONE, 9))] == [False] * 3


@given(st.lists(st.tuples(st.floats(0.1, 3), st.sampled_from([_ONE, _TWO, _TWO + _ONE])), max_size=30))
def test_it_comes_exactly_when_what_is_new_stood_still(steps: list[tuple[float, Stamp]]) -> None:
    """Whatever changes when."""
    rest, now, newest, since = Rest(2), 0.0, None, 0.0
    for wait, found in steps:
        now += wait
        newest, since = (found, now) if found != newest else (newest, since)
        assert rest.come(found, _ONE, now) is (found != _ONE and now - since >= 2)


def in_place(file: Path, text: str) -> None:
    """echo > file, on an inode that stays."""
    with file.open("r+") as open_file:
        open_file.truncate()
        open_file.write(text)


def renamed(file: Path, text: str) -> None:
    """As editors and rsync write: a new file takes the name."""
    new = file.with_name(".alerts.yml.swp")
    new.write_text(text)
    new.rename(file)


def with_the_old_times(file: Path, text: str) -> None:
    """As `cp -p` and `rsync -t` may: neither mtime nor size tells."""
    seen = file.stat()
    in_place(file, text)
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def checked_out(file: Path, text: str) -> None:
    """As git does: removed, then written."""
    file.unlink()
    file.write_text(text)


@pytest.mark.parametrize("save", [in_place, renamed, with_the_old_times, checked_out])
def test_every_way_to_save_shows(tmp_path: Path, save: Callable[[Path, str], None]) -> None:
    """The new text is as long as the old one."""
    file = tmp_path / "alerts.yml"
    file.write_text(ALERTS)
    files = RuleFiles(SPECS, (tmp_path,))
    before = files.stamp()
    assert files.stamp() == before

    save(file, BETTER)

    assert files.stamp() != before


def test_a_file_more_and_a_file_less_show(tmp_path: Path) -> None:
    """In folders below as well; what no loader reads does not."""
    (tmp_path / "alerts.yml").write_text(ALERTS)
    files = RuleFiles(SPECS, (tmp_path,))
    seen = [files.stamp()]
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "README").write_text("x")
    assert files.stamp() == seen[0]
    for do in ((tmp_path / "more" / "alerts.yml").touch, (tmp_path / "alerts.yml").unlink):
        do()
        seen.append(files.stamp())

    assert len(set(seen)) == 3
    assert stamp([str(tmp_path / "nowhere")]) == ((str(tmp_path / "nowhere"), 0, 0, 0, 0, 0),)


class Mount:
    """A mounted ConfigMap: `..data` links to the newest version, the files link through it."""

    def __init__(self, folder: Path, text: str) -> None:
        self._folder, self._number = folder, 0
        self.swap(text)
        (folder / "alerts.yml").symlink_to("..data/alerts.yml")

    def swap(self, text: str) -> None:
        """As the kubelet does: a new folder, a link to it that takes the old link's place in one step."""
        self._number += 1
        version = self._folder / f"..2026_{self._number}"
        version.mkdir()
        (version / "alerts.yml").write_text(text)
        new = self._folder / "..data_tmp"
        new.symlink_to(version.name)
        new.rename(self._folder / "..data")
        if self._number > 1:
            shutil.rmtree(self._folder / f"..2026_{self._number - 1}")


class Watched:
    """A watch that looks every hundredth of a second, over what was taken and said."""

    def __init__(self, files: RuleFiles, *, watching: bool = True) -> None:
        self.said: list[str] = []
        self.reload = Reload(
            Means(files, self._prepare, History, self._say, lambda: 0), files.read(), files.stamp()
        )
        self.watch = RuleWatch(self.reload, files=watching, poll=0.01, quiet=0.05)

    def _prepare(self, _: Rules) -> Callable[[], bool]:
        return lambda: True

    async def _say(self, reason: str) -> None:
        self.said.append(reason)

    async def heard(self, count: int) -> None:
        """Until so many things were said, and nothing more for a while."""
        try:
            async with asyncio.timeout(10):
                while len(self.said) < count:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited 10 s for {count} lines; there are {self.said}") from None


@pytest.fixture
async def mount(tmp_path: Path) -> AsyncIterator[tuple[Mount, Watched]]:
    """A ConfigMap, and an agent that watches it."""
    mounted = Mount(tmp_path, ALERTS)
    watched = Watched(RuleFiles(SPECS, (tmp_path,)))
    task = asyncio.create_task(watched.watch.run())
    yield mounted, watched
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_config_map_is_followed_through_bad_good_bad(mount: tuple[Mount, Watched]) -> None:
    """Each version is told once, however often it is looked at."""
    mounted, watched = mount
    for count, text in enumerate((BAD, BETTER, BAD), 1):
        mounted.swap(text)
        await watched.heard(count)
    await asyncio.sleep(0.2)  # twenty looks and no further word

    assert [words.split()[1] for words in watched.said] == [
        "refused",
        watched.reload.rules.book.digest,
        "refused",
    ]
    assert watched.reload.rules.book.alerts[0].expr.endswith("0.95")
    assert "(the files changed)" in watched.said[0]


async def test_many_saves_in_a_row_are_one_reload(tmp_path: Path) -> None:
    """Only what stands at the end is read, and nothing of the half-written files before, however long there
    was between two of them: a look has found each."""
    mounted = Mount(tmp_path, ALERTS)
    watched = Watched(RuleFiles(SPECS, (tmp_path,)))
    for text in (ALERTS[:50], BAD, "", ALERTS[:80], BETTER):
        mounted.swap(text)
        await watched.watch._once()
        assert watched.said == []

    async with asyncio.timeout(10):
        while not watched.said:
            await asyncio.sleep(0.01)
            await watched.watch._once()
    await watched.watch._once()

    assert len(watched.said) == 1
    assert "loaded (the files changed): 1 alerts" in watched.said[0]


async def test_a_version_of_the_same_content_says_nothing(mount: tuple[Mount, Watched]) -> None:
    """A ConfigMap is written anew when its other keys change."""
    mounted, watched = mount
    before = watched.reload.seen
    mounted.swap(ALERTS)
    async with asyncio.timeout(10):  # until the watch has read it
        while watched.reload.seen == before:
            await asyncio.sleep(0.01)

    mounted.swap(BAD)  # its refusal comes after whatever was said of the version before
    await watched.heard(1)

    assert [words.split()[1] for words in watched.said] == ["refused"]


async def test_without_the_watch_only_a_hangup_reads(tmp_path: Path) -> None:
    """`rules_watch: false`. Each hangup is told, also when it finds what it knows."""
    (tmp_path / "alerts.yml").write_text(ALERTS)
    watched = Watched(RuleFiles(SPECS, (tmp_path,)), watching=False)
    task = asyncio.create_task(watched.watch.run())
    (tmp_path / "alerts.yml").write_text(BAD)
    await asyncio.sleep(0.2)
    assert watched.said == []

    for count in (1, 2):
        watched.watch.hang_up()
        await watched.heard(count)

    assert all("refused (SIGHUP)" in words for words in watched.said)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_rules_on_a_disk_that_hangs_are_refused_once_and_read_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs one thread, and none of those that all share; the rules in force stay."""
    monkeypatch.setattr(reload, "_READING_S", 0.2)
    (tmp_path / "alerts.yml").write_text(ALERTS)
    names = tmp_path / "names"
    names.write_text("metrics: {}\n")
    watched = Watched(RuleFiles(SPECS, (tmp_path,), names))
    names.unlink()
    task = asyncio.create_task(watched.watch.run())
    with hung(names):
        await watched.heard(1)
        for _ in range(LOOKS):
            answer = await watched.reload.reload(dry_run=True, by="test")
            assert answer["complaints"] == ["reading of the rules has not returned for 0.2 s"]
        await assert_threads_are_free()
        assert len(watched.said) == 1
    monkeypatch.setattr(reload, "_READING_S", 30.0)
    names.write_text("metrics: {}\n")
    await watched.heard(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [words.split()[1] for words in watched.said] == ["refused", watched.reload.rules.book.digest]
    assert "reading of the rules has not returned" in watched.said[0]


@dataclass(frozen=True)
class Mounted(RuleFiles):
    """Rules on a mount that hangs while it does not answer, and changes nothing by that."""

    answers: threading.Event = field(default_factory=threading.Event)

    def stamp(self) -> Stamp:
        assert self.answers.wait(30), "it never answered"
        return super().stamp()


async def test_after_a_mount_has_hung_the_same_rules_are_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or their last reload would be told as refused until somebody changes them."""
    monkeypatch.setattr(reload, "_READING_S", 0.2)
    monkeypatch.setattr(reload, "_LOOK_S", 0.2)
    (tmp_path / "alerts.yml").write_text(ALERTS)
    files = Mounted(SPECS, (tmp_path,))
    files.answers.set()
    watched = Watched(files)
    task = asyncio.create_task(watched.watch.run())
    files.answers.clear()
    await watched.heard(1)
    monkeypatch.setattr(reload, "_READING_S", 30.0)
    monkeypatch.setattr(reload, "_LOOK_S", 30.0)
    files.answers.set()
    await watched.heard(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [words.split()[1] for words in watched.said] == ["refused", watched.reload.rules.book.digest]
    assert watched.reload.last is not None
    assert watched.reload.last["ok"]
