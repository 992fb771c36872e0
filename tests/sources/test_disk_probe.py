"""The write probe, on real file systems: healthy, frozen, read-only, full and foreign ones."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hung_files import LOOKS, assert_threads_are_free, hung_program
from loop_disks import frozen, mounted, run

from agent.model import Sample
from agent.sources import SourceFailed, disk_stats, probing_process
from agent.sources.disk_probe import ERRNOS, METRICS, PROBE_FILE, DiskProbe
from agent.sources.host import LogDirPath
from agent.sources.probing_process import ProbingProcess

ALL = frozenset(metric.name for metric in METRICS)
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def probing(*folders: LogDirPath, deadline: float = 10.0) -> AsyncIterator[DiskProbe]:
    """A probe of these log dirs that rules ask for; its process ends with the block."""
    probe = DiskProbe(folders, 1000, deadline)
    probe.wanted = ALL
    try:
        yield probe
    finally:
        probe.close()


def values(samples: list[Sample], path: Path) -> dict[str, float]:
    """By the name without its prefix; errors that were counted as `error EIO`."""
    found = {}
    for sample in samples:
        labels = dict(sample.labels)
        if labels["path"] == str(path):
            name = sample.name.removeprefix("host_log_dir_")
            found[f"error {labels['errno']}" if "errno" in labels else name] = sample.value
    return found


async def until(what: str, holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for a condition."""
    try:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {seconds:g} s for: {what}") from None


async def test_a_disk_that_takes_writes(tmp_path: Path) -> None:
    """Timed, without an error, and all errors stand at 0 from the start; the file never grows."""
    async with probing(LogDirPath(str(tmp_path))) as probe:
        for _ in range(3):
            seen = values(await probe.read(5), tmp_path)

    assert 0 < seen["probe_seconds"] < 10
    assert (seen["probe_success"], seen["hung"], seen["read_only"]) == (1, 0, 0)
    assert {name: value for name, value in seen.items() if name.startswith("error ")} == dict.fromkeys(
        (f"error {name}" for name in ERRNOS), 0
    )
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [(PROBE_FILE, 4096)]


async def test_nothing_is_written_where_no_rule_asks_for_it(tmp_path: Path) -> None:
    """Nor is a process started."""
    probe = DiskProbe([LogDirPath(str(tmp_path))], 1000)
    probe.wanted = frozenset({"host_log_dir_used_ratio"})

    assert await probe.read(5) == []
    assert list(tmp_path.iterdir()) == []


async def test_the_file_may_be_elsewhere_on_the_same_file_system(tmp_path: Path) -> None:
    """For a log dir that the agent may not write to; elsewhere on another one would tell nothing."""
    log_dir, beside, foreign = tmp_path / "data", tmp_path / "probe", Path("/dev/shm/ottla-test-probe")
    log_dir.mkdir()
    async with probing(LogDirPath(str(log_dir), probe_file=str(beside))) as probe:
        assert values(await probe.read(5), log_dir)["probe_success"] == 1
    assert beside.stat().st_size == 4096
    assert list(log_dir.iterdir()) == []

    try:
        async with probing(LogDirPath(str(log_dir), probe_file=str(foreign))) as probe:
            seen = values(await probe.read(5), log_dir)
    finally:
        foreign.unlink(missing_ok=True)
    assert (seen["probe_success"], seen["error EXDEV"]) == (0, 1)


async def test_what_the_file_system_refuses_is_counted_by_its_errno(tmp_path: Path) -> None:
    """A missing dir, and a planted link that is not followed; the log dir beside them is probed."""
    gone, planted, well = tmp_path / "gone", tmp_path / "planted", tmp_path / "well"
    planted.mkdir()
    well.mkdir()
    (planted / PROBE_FILE).symlink_to(tmp_path / "victim")
    async with probing(*(LogDirPath(str(path)) for path in (gone, planted, well))) as probe:
        await probe.read(5)
        samples = await probe.read(6)

    assert (values(samples, gone)["error ENOENT"], values(samples, gone)["probe_success"]) == (2, 0)
    assert (values(samples, planted)["error other"], values(samples, planted)["hung"]) == (2, 0)
    assert values(samples, well)["probe_success"] == 1
    assert not (tmp_path / "victim").exists()


async def test_the_device_has_the_block_when_the_probe_returns(tmp_path: Path) -> None:
    """Without the sync it would have it at the next writeback, seconds later."""

    def written() -> int:
        number = disk.stat().st_dev
        return disk_stats.parse(table.read_text())[os.major(number), os.minor(number)].fields[4]

    table = Path("/proc/diskstats")
    with mounted(tmp_path) as disk:
        async with probing(LogDirPath(str(disk))) as probe:
            await probe.read(5)
            run("sync", "--file-system", disk)
            before = written()
            await probe.read(6)
            assert written() > before


async def test_a_file_system_that_becomes_read_only_is_seen(tmp_path: Path) -> None:
    """Also where the kernel gave it up and /proc/mounts still says rw."""
    with mounted(tmp_path) as disk:
        async with probing(LogDirPath(str(disk))) as probe:
            assert values(await probe.read(5), disk)["read_only"] == 0
            run("mount", "-o", "remount,abort", disk)
            seen = values(await probe.read(6), disk)

    assert (seen["read_only"], seen["probe_success"], seen["error EROFS"]) == (1, 0, 1)


async def test_a_full_disk_is_written_to_all_the_same(tmp_path: Path) -> None:
    """The block has its place; only the first probe of a disk that is full already is refused."""
    with mounted(tmp_path) as disk:
        (disk / "first").mkdir()
        (disk / "later").mkdir()
        async with probing(LogDirPath(str(disk / "first")), LogDirPath(str(disk / "later"))) as probe:
            (disk / "later" / PROBE_FILE).symlink_to("nowhere")
            await probe.read(5)
            with pytest.raises(subprocess.CalledProcessError):
                run("dd", "if=/dev/zero", f"of={disk / 'ballast'}", "bs=4k")
            (disk / "later" / PROBE_FILE).unlink()
            samples = await probe.read(6)

    assert values(samples, disk / "first")["probe_success"] == 1
    assert values(samples, disk / "later")["error ENOSPC"] == 1


async def test_a_frozen_disk_is_seen_and_hides_no_other(tmp_path: Path) -> None:
    """For how long so far; the other log dir is probed at its pace, and after the thaw all is well again."""
    other = tmp_path / "other"
    other.mkdir()
    with mounted(tmp_path) as disk:
        async with probing(LogDirPath(str(disk)), LogDirPath(str(other)), deadline=0.5) as probe:

            async def well() -> bool:
                return values(await probe.read(5), disk)["probe_success"] == 1

            await until("a first success", well)
            with frozen(disk):
                first = values(await probe.read(6), disk)
                took = time.monotonic()
                samples = await probe.read(7)
                took = time.monotonic() - took
                threads = list(Path(f"/proc/{child_of(probe)}/task").iterdir())
            await until("a success after the thaw", well)

    assert (first["hung"], first["probe_success"]) == (1, 0)
    assert first["probe_seconds"] >= 0.5
    second = values(samples, disk)
    assert second["probe_seconds"] > first["probe_seconds"], "it says how long it hangs so far"
    assert sum(second[f"error {name}"] for name in ERRNOS) == 0
    assert took < 0.5 or values(samples, other)["hung"], "a known hang is not waited for again"
    assert len(threads) <= 3, (
        "one thread at most is in the frozen disk, beside the reader and the other dir's"
    )


async def test_a_success_that_came_late_while_another_was_waited_for_is_none() -> None:
    """It hung for a minute; the other one's reading has just begun."""
    probe, loop = DiskProbe([LogDirPath("/late"), LogDirPath("/slow")], 1000, 0.5), asyncio.get_running_loop()
    probe.wanted = ALL
    asked = list[int]()
    probe._process = cast(ProbingProcess, SimpleNamespace(runs=True, ask=asked.append))
    loop.call_soon(probe._answered, 1, 0.1, "-")
    assert values(await probe.read(5), Path("/late"))["hung"] == 1
    loop.call_soon(probe._answered, 0, 60.0, "-")
    loop.call_soon(probe._answered, 1, 0.1, "-")
    samples = await probe.read(6)
    late, slow = values(samples, Path("/late")), values(samples, Path("/slow"))
    assert (late["probe_success"], late["hung"], late["probe_seconds"]) == (0, 0, 60)
    assert slow["probe_success"] == 1
    assert asked == [0, 1, 1]


def child_of(probe: DiskProbe) -> int:
    """The pid of its process."""
    process = probe._process._process
    assert process is not None
    return process.pid


async def test_a_process_that_dies_is_told_and_replaced(tmp_path: Path) -> None:
    """By the OOM killer, say."""
    async with probing(LogDirPath(str(tmp_path)), deadline=10) as probe:
        await probe.read(5)
        os.kill(child_of(probe), 9)

        async def fails() -> bool:
            try:
                return not await probe.read(6)
            except SourceFailed as failed:
                return "has ended" in failed.why

        before = child_of(probe)
        if await asyncio.wait_for(fails(), 30):
            assert values(await probe.read(7), tmp_path)["probe_success"] == 1
        assert child_of(probe) != before


async def test_a_process_that_dies_where_no_thread_can_be_started_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TasksMax, say: what it was asked is no probe that hangs for the rest of the agent's life."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with probing(LogDirPath(str(tmp_path)), deadline=30) as probe:
        await probe.read(5)
        pid = child_of(probe)
        os.kill(pid, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            reading = asyncio.create_task(probe.read(6))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(SourceFailed, match="has ended; the next reading starts another"):
                await asyncio.wait_for(reading, 20)
        (ended,) = probe._process._ending
        ended.wait(20)
        seen = values(await probe.read(7), tmp_path)
        assert not probe._process._ending
        assert (seen["hung"], seen["probe_success"]) == (0, 1)


async def test_a_start_that_hangs_takes_no_shared_thread_and_what_comes_late_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter's own disk hangs: no second start waits behind the first."""
    monkeypatch.setattr(subprocess, "_USE_VFORK", False)  # as the agent has it
    monkeypatch.setattr(probing_process, "_START_SECONDS", 0.2)
    started = tmp_path / "started"
    interpreter = f'#!/bin/sh\necho one >> {started}\nexec {sys.executable} "$@"\n'
    async with probing(LogDirPath(str(tmp_path))) as probe:
        with hung_program(tmp_path / "python", interpreter) as program:
            probe._process._command[0] = str(program)
            for _ in range(LOOKS):
                with pytest.raises(TimeoutError, match="start of the process that probes has not returned"):
                    await probe.read(5)
            await assert_threads_are_free()
            monkeypatch.setattr(probing_process, "_START_SECONDS", 30.0)

        async def well() -> bool:
            try:
                return values(await probe.read(6), tmp_path)["probe_success"] == 1
            except TimeoutError:
                return False

        await until("a success", well)
        assert started.read_text() == "one\n"


async def test_no_more_are_started_than_a_few_that_cannot_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter was started, and what it loads lies on a disk that hangs: not even SIGKILL ends it."""
    monkeypatch.setattr(probing_process, "_START_SECONDS", 0.5)
    program, started = tmp_path / "python", tmp_path / "started"
    program.write_text(f"#!/bin/sh\necho $$ >> {started}\nexec sleep 99\n")
    program.chmod(0o755)
    async with probing(LogDirPath(str(tmp_path))) as probe:
        interpreter, probe._process._command[0] = probe._process._command[0], str(program)
        with monkeypatch.context() as patch:
            patch.setattr(subprocess.Popen, "kill", lambda _: None)
            for _ in range(4):
                with pytest.raises(SourceFailed, match=r"is not ready after 0\.5 s"):
                    await probe.read(5)
            for _ in range(LOOKS):
                with pytest.raises(SourceFailed, match="4 processes that probed were killed and do not end"):
                    await probe.read(5)

        async def all_written() -> bool:
            return started.read_text().count("\n") == 4

        await until("the pids of four", all_written)
        for pid in started.read_text().split():
            os.kill(int(pid), 9)
        monkeypatch.setattr(probing_process, "_START_SECONDS", 30.0)
        probe._process._command[0] = interpreter

        async def well() -> bool:
            try:
                return values(await probe.read(6), tmp_path)["probe_success"] == 1
            except SourceFailed:
                return False

        await until("a success", well)


PROBING = """
import asyncio, sys
from agent.sources.disk_probe import METRICS, DiskProbe
from agent.sources.host import LogDirPath

probe = DiskProbe([LogDirPath(sys.argv[1])], 1000, 0.5)
probe.wanted = frozenset(metric.name for metric in METRICS)
"""
UNTIL_HUNG = f"""{PROBING}
async def main():
    while not any(s.name == "host_log_dir_hung" and s.value for s in await probe.read(1)):
        pass
    print("hung", flush=True)

asyncio.run(main())
"""
FOR_EVER = f"""{PROBING}
async def main():
    await probe.read(1)
    print(probe._process._process.pid, flush=True)
    await asyncio.sleep(99)

asyncio.run(main())
"""


def test_the_probing_process_ends_with_the_agent_however_that_ends(tmp_path: Path) -> None:
    """SIGKILL leaves it no time to say so: the end of its stdin does."""
    command = [sys.executable, "-c", FOR_EVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as agent:
        assert agent.stdout is not None
        pid = int(agent.stdout.readline())
        handle = os.pidfd_open(pid)
        agent.kill()
    ended, _, _ = select.select([handle], [], [], 20)
    os.close(handle)
    assert ended, f"waited 20 s for process {pid} to end"


def test_who_probes_ends_at_once_though_a_probe_never_returns(tmp_path: Path) -> None:
    """And is reaped: a thread of its own in the frozen disk would keep it, dead, until the thaw."""
    with mounted(tmp_path) as disk, frozen(disk):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", UNTIL_HUNG, str(disk)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=30,
            check=False,
        )
        took = time.monotonic() - began

    assert (done.stdout, done.returncode) == ("hung\n", 0), done.stderr
    assert took < 20, "pipes and process are gone long before the thaw"
