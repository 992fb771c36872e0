"""The lab itself: a real cluster comes up, is broken and healed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.lab import cluster, disks, faults, ports, processes
from agent.lab.cluster import Lab
from agent.lab.jars import find_or_fetch, silent
from agent.lab.load import Load
from agent.lab.nodes import NodeState
from agent.lab.plan import DiskKind, Size

pytestmark = pytest.mark.e2e
RUNNING_SECONDS = 180.0  # 10 to 15 on cores of its own (`make bench BENCH=cluster`); more is a hang


@pytest.fixture(scope="module", autouse=True)
def jars() -> None:
    """Fetched before anything is timed."""
    find_or_fetch(None, silent)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, for state folders; whatever is in it is removed."""
    path = open_folder()
    yield path
    remove(path)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One cluster for the faults, each of which leaves it whole."""
    path = open_folder()
    own = Lab.open(path / "lab")
    asyncio.run(own.up())
    yield own
    remove(path)


@pytest.fixture
async def admin(lab: Lab) -> AsyncIterator[Admin]:
    """To ask the cluster what it made of a fault."""
    own = Admin(lab.bootstrap, Security(), client_id="test")
    yield own
    await own.close()


def open_folder() -> Path:
    """Below /tmp, since pytest's own is for its user only."""
    path = Path(tempfile.mkdtemp(prefix="ottla-lab-"))
    path.chmod(0o755)
    return path


def remove(path: Path) -> None:
    """All labs in it, and itself."""
    for own in path.iterdir():
        asyncio.run(Lab.open(own).down())
    shutil.rmtree(path)


def left_of(state: Path) -> list[str]:
    """What a lab left behind, looked for without the lab's own eyes."""
    found = [str(state)] if state.exists() else []
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(state) in line]
    if shutil.which("losetup"):
        devices = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=True).stdout
        found += [line for line in devices.splitlines() if str(state) in line]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(state) in command:
                found.append(command)
    return found


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 30) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, f"waited {seconds:g} s until {what}"
        await asyncio.sleep(0.1)


async def whole(admin: Admin) -> None:
    """Wait until every replica of every partition is in sync."""

    async def in_sync() -> bool:
        return all(set(p.isr) == set(p.replicas) for p in await admin.partitions())

    await until(in_sync, "all replicas are in sync")


async def test_up_is_quick_and_repeatable_and_down_leaves_nothing(place: Path) -> None:
    """A second `up` changes nothing; a broker that died is started by it."""
    lab = Lab.open(place / "lab")
    began = time.monotonic()
    plan = await lab.up()
    assert time.monotonic() - began < RUNNING_SECONDS
    assert set((await lab.states()).values()) == {NodeState.RUNNING}
    pids = {node.id: node.pid for node in plan.nodes}
    await lab.up()
    assert {node.id: node.pid for node in plan.nodes} == pids
    await lab.kill(3)
    assert (await lab.states())[3] is NodeState.STOPPED
    await lab.up()
    assert (await lab.states())[3] is NodeState.RUNNING
    assert lab.node(1).pid == pids[1]
    assert await lab.down()
    assert left_of(lab.state) == []


async def test_brokers_are_not_root_and_have_disks_of_their_own(lab: Lab) -> None:
    """As root: a full disk is full for them before it is for us."""
    pid = lab.brokers[2].pid
    assert (Path(f"/proc/{pid}").stat().st_uid == 0) is False
    if lab.plan.disk is not DiskKind.FOLDER:
        devices = {path.stat().st_dev for node in lab.brokers.values() for path in node.log_dirs}
        assert len(devices) == 6
        assert lab.brokers[2].metadata_dir.stat().st_dev not in devices


async def test_logs_are_apart(lab: Lab) -> None:
    """What the controller decides is not in server.log."""
    controller = next(iter(lab.plan.controllers.values()))
    assert "QuorumController" in (controller.logs_dir / "controller.log").read_text()
    assert "QuorumController id=101] Becoming the active controller" not in controller.server_log.read_text()
    broker = lab.brokers[1]
    assert "Kafka Server started" in broker.server_log.read_text()
    assert {"state-change.log", "log-cleaner.log"} <= {path.name for path in broker.logs_dir.iterdir()}


async def test_labs_stand_side_by_side(place: Path) -> None:
    """Brought up at once, one of them with three controllers; the end of one is not the other's."""
    one, other = Lab.open(place / "one"), Lab.open(place / "other")
    await asyncio.gather(one.up(Size(1, 1)), other.up(Size(2, 3)))
    assert len(other.plan.controllers) == 3
    assert not set(one.bootstrap) & set(other.bootstrap)
    await one.down()
    assert left_of(one.state) == []
    assert set((await other.states()).values()) == {NodeState.RUNNING}
    await other.down()
    assert left_of(other.state) == []


async def test_after_a_crash_of_everything_up_works(place: Path) -> None:
    """As after a power cut: mounts and files are there, and no process is."""
    lab = Lab.open(place / "lab")
    await lab.up(Size(1, 1))
    assert processes.end(processes.find_below(lab.state), signal.SIGKILL, 10) == []
    assert left_of(lab.state) != []
    await lab.up(Size(2, 1))
    assert set((await lab.states()).values()) == {NodeState.RUNNING}
    await lab.down()
    assert left_of(lab.state) == []


async def test_a_port_taken_since_it_was_chosen_costs_an_attempt(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was Kafka's or Jolokia's, `up` begins again with other ports, and says so."""
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        kafkas, jolokias, free = ports.free_ports(3), ports.free_ports(3), ports.free_ports(3)
        kafkas[1] = jolokias[2] = port
        choices = iter([kafkas, jolokias, free])
        monkeypatch.setattr(cluster, "free_ports", lambda _: next(choices))
        await Lab.open(place / "lab").up(Size(1, 1), say=told.append)
    expected = [
        f"broker 1 could not listen on port {port}",
        f"Jolokia of broker 1 could not listen on port {port}",
    ]
    assert [line.partition(":")[0] for line in told if "beginning again" in line] == expected


@pytest.mark.parametrize("instant", ["lab.json", "broker-1/disk-b/data", "broker-1/logs/server.log"])
async def test_up_killed_midway_is_cleaned_up(place: Path, instant: str) -> None:
    """At whatever instant `up` itself is killed, `down` finds all that it had begun."""
    lab = Lab.open(place / "lab")
    code = "from agent.commands.lab import lab; lab()"
    up = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "up", "--state", str(lab.state), stderr=subprocess.DEVNULL
    )

    async def has_come() -> bool:
        return (lab.state / instant).exists()

    await until(has_come, f"{instant} is there")
    up.kill()
    await up.wait()
    await lab.down()
    assert left_of(lab.state) == []


async def test_a_load_survives_a_killed_broker(lab: Lab, admin: Admin) -> None:
    """Another leads after the session; nothing that was acknowledged is lost."""
    load = Load(lab.bootstrap, rate=200)
    await load.start()

    async def carries(many: int) -> bool:
        return load.progress().acked > many

    async def is_led_by_others() -> bool:
        return all(p.leader not in {3, -1} for p in await admin.partitions())

    await until(lambda: carries(200), "200 records are acknowledged")
    kill = faults.load()["kill-broker"]
    assert await kill.break_(lab, 3, silent) == "broker 3 is killed"
    await until(is_led_by_others, "the others lead all partitions", 60)
    await until(lambda: carries(800), "800 records are acknowledged", 60)
    assert await kill.heal(lab, 3, silent) == "broker 3 is running"
    report = await load.stop()
    assert report.ok, report
    assert report.acked > 800
    assert 1_000 < report.max_gap_ms < 15_000
    await whole(admin)


async def test_a_paused_broker_hangs_and_goes_on(lab: Lab, admin: Admin) -> None:
    """It has a process, and does not answer."""
    pause = faults.load()["pause-broker"]
    pid = lab.brokers[2].pid
    await pause.break_(lab, 2, silent)
    assert (await lab.states())[2] is NodeState.PAUSED
    await pause.heal(lab, 2, silent)

    async def runs() -> bool:
        return (await lab.states())[2] is NodeState.RUNNING

    await until(runs, "broker 2 runs")
    assert lab.brokers[2].pid == pid
    await whole(admin)


async def test_a_disk_is_filled_with_records_that_can_be_moved(lab: Lab, admin: Admin) -> None:
    """Only the first dir of that broker is full, by many partitions that have another replica."""
    fill = faults.load()["fill-disk"]
    first, second = lab.brokers[2].log_dirs
    before = disks.used_ratio(second, lab.plan.disk)
    await fill.break_(lab, 2, silent, until=0.5)
    assert 0.5 <= disks.used_ratio(first, lab.plan.disk) < 0.55
    assert disks.used_ratio(second, lab.plan.disk) - before < 0.02
    found = next(own for own in await admin.log_dirs(2) if own.path == str(first))
    moved = [replica for replica in found.replicas if replica.topic == "fill-broker-2"]
    replicas = [len(partition.replicas) for partition in await admin.partitions(["fill-broker-2"])]
    assert len(moved) >= 8
    assert max(replica.size for replica in moved) < 16 << 20
    assert set(replicas) == {2}
    await fill.heal(lab, 2, silent)
    assert disks.used_ratio(first, lab.plan.disk) < 0.2


async def test_a_throttle_is_left_and_removed(lab: Lab, admin: Admin) -> None:
    """Its rates and its lists; what stood in the lists before stays."""
    await admin.create_topic("throttled", 3, 3, {"leader.replication.throttled.replicas": "0:1"})

    async def placed() -> bool:
        return len(await admin.partitions(["throttled"])) == 3

    async def rate() -> str | None:
        return (await admin.configs("broker/2")).get("leader.replication.throttled.rate")

    async def lists() -> list[str]:
        found = (await admin.topic_configs(["throttled"], None)).get("throttled", {})
        return [found.get(f"{side}.replication.throttled.replicas", "") for side in ("follower", "leader")]

    async def is_set() -> bool:
        return await rate() == "123456" and await lists() == ["0:2,1:2,2:2", "0:1,0:2,1:2,2:2"]

    async def is_gone() -> bool:
        return await rate() is None and await lists() == ["", "0:1"]

    await until(placed, "the topic is placed")
    throttle = faults.load()["leftover-throttle"]
    await throttle.break_(lab, 2, silent, rate=123_456)
    await until(is_set, "broker 2 has the rate, and the topic its lists")
    await throttle.heal(lab, 2, silent)
    await until(is_gone, "they are gone")
    await admin.delete_topics(["throttled"])


def test_the_command_reports_as_text_and_json(lab: Lab) -> None:
    """Results on stdout, progress on stderr, no colours in a pipe."""
    command = [sys.executable, "-c", "from agent.commands.lab import lab; lab()"]
    state = ["--state", str(lab.state)]
    shown = subprocess.run([*command, "status", *state], capture_output=True, text=True, check=True)
    assert "broker 2" in shown.stdout
    assert "\x1b" not in shown.stdout + shown.stderr
    load = [*command, "load", *state, "--rate", "50/s", "--seconds", "1", "-o", "json"]
    loaded = subprocess.run(load, capture_output=True, text=True, check=True)
    report = json.loads(loaded.stdout)
    assert report["ok"]
    assert report["acked"] == report["sent"] > 20
    assert "acknowledged" in loaded.stderr
