"""The broker's process, played by real ones that listen, stop, end and come again."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from played_brokers import (
    LISTENING,
    found_by_another_user,
    listening,
    needs_root,
    said_to_another_user,
    until,
)

from agent.promql.vectors import STALE
from agent.sources import control_groups, kafka_processes, listening_sockets
from agent.sources.broker_pid import BrokerAt, find
from agent.sources.broker_process import METRICS, BrokerProcess
from agent.sources.kernel import Kernel
from agent.sources.process_limits import rlimit

pytestmark = pytest.mark.usefixtures("main_class")
ALL = frozenset(metric.name for metric in METRICS)


def values(part: BrokerProcess, wanted: frozenset[str] = ALL) -> dict[str, float]:
    """By the name without its prefix."""
    return {name.removeprefix("host_broker_"): value for name, _, value in part.read(wanted)}


def test_what_proc_says_of_it(port: int, main_class: str) -> None:
    """Held against what else says it."""
    with listening(port, main_class, "server.properties") as process:
        seen = values(BrokerProcess(BrokerAt(port=port)))
        pid = process.pid
        assert seen["pid"] == pid
        assert seen["up"] == 1
        assert seen["open_fds"] == len(list(Path(f"/proc/{pid}/fd").iterdir()))
        assert seen["max_fds"] == resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
        assert seen["maps"] == len(Path(f"/proc/{pid}/maps").read_text().splitlines())
        assert seen["max_maps"] == int(Path("/proc/sys/vm/max_map_count").read_text())
        assert (
            seen["threads"] == 1 <= seen["max_threads"] <= int(Path("/proc/sys/kernel/pid_max").read_text())
        )
        assert abs(seen["start_time_seconds"] - time.time()) < 60
        assert 4 << 20 < seen["resident_memory_bytes"] < 1 << 30
        assert seen["cpu_seconds_total"] >= 0
        assert (seen["stopped"], seen["threads_uninterruptible"]) == (0, 0)


def test_a_stopped_process_is_seen(port: int, main_class: str) -> None:
    """SIGSTOP, until SIGCONT."""
    part = BrokerProcess(BrokerAt(port=port))
    with listening(port, main_class, "server.properties") as process:
        for number, stopped in ((signal.SIGSTOP, 1), (signal.SIGCONT, 0)):
            process.send_signal(number)
            until(f"stopped to be {stopped}", lambda stopped=stopped: values(part)["stopped"] == stopped)  # type: ignore[misc]


async def test_its_end_ends_its_series_and_another_one_is_a_change(port: int, main_class: str) -> None:
    """By stale markers: the last value of a dead process must not go on for five minutes."""
    part = BrokerProcess(BrokerAt(port=port))
    source = Kernel([part], 1000)
    source.wanted = ALL

    async def read() -> dict[str, float]:
        """As `values`, of the source that the part belongs to."""
        samples = [s for s in await source.read(1) if s.name != "host_unread_total"]
        return {s.name.removeprefix("host_broker_"): s.value for s in samples}

    with listening(port, main_class, "server.properties"):
        first = await read()
    gone = await read()
    assert (gone.pop("up"), gone.pop("pid_changes_total")) == (0, 0)
    assert gone.keys() == first.keys() - {"up", "pid_changes_total"}
    assert {repr(value) for value in gone.values()} == {repr(STALE)}
    assert (await read()).keys() == {"up", "pid_changes_total"}, "once"
    with listening(port, main_class, "server.properties") as process:
        again = await read()
        assert (again["pid"], again["pid_changes_total"]) == (process.pid, 1)


def test_only_what_is_wanted_is_read(port: int, main_class: str) -> None:
    """Maps and threads are dear."""
    with listening(port, main_class, "server.properties"):
        seen = values(BrokerProcess(BrokerAt(port=port)), frozenset({"host_broker_up"}))
    assert not {"maps", "open_fds", "max_threads", "threads_uninterruptible"} & seen.keys()


def test_a_broker_that_does_not_listen_yet_is_found(tmp_path: Path, port: int, main_class: str) -> None:
    """It binds its listeners once its logs are recovered, which may take an hour: it is not gone."""
    file = tmp_path / "server.properties"
    file.write_text(f"node.id=1\nprocess.roles=broker\nlisteners=A://:1,B://:{port}\n")
    command = [sys.executable, "-c", "import time; time.sleep(99)", main_class, str(file)]
    assert find(BrokerAt(port=port)) is None
    with subprocess.Popen(command) as one:
        try:
            until("its command line", lambda: find(BrokerAt(port=port)) == one.pid)
            assert values(BrokerProcess(BrokerAt(port=port)))["up"] == 1
            with subprocess.Popen(command) as other:
                try:
                    until("two of them", lambda: len(list(kafka_processes.brokers())) == 2)
                    with pytest.raises(OSError, match=rf"port {port}, and which of 2 Kafka processes"):
                        find(BrokerAt(port=port))
                finally:
                    other.kill()
            with listening(port, main_class, "server.properties") as listener:
                assert find(BrokerAt(port=port)) == listener.pid, "who listens comes first"
        finally:
            one.kill()
    assert find(BrokerAt(port=port)) is None


def test_who_started_a_broker_that_does_not_listen_yet_is_no_second_one(
    tmp_path: Path, port: int, main_class: str
) -> None:
    """As sudo, which has the broker's whole command line in its own."""
    (tmp_path / "java").symlink_to(sys.executable)
    (tmp_path / "some.properties").write_text(f"listeners=A://:{port}\n")
    broker = [str(tmp_path / "java"), "-c", LISTENING.format(host="127.0.0.1", port=0), main_class]
    broker.append("some.properties")
    with (
        listening(0, *broker, cwd=tmp_path) as sudo,
        subprocess.Popen(broker, cwd=tmp_path, stdout=subprocess.DEVNULL) as one,
    ):
        try:
            until("both", lambda: {pid for pid, _ in kafka_processes.brokers()} == {sudo.pid, one.pid})
            until("it to be found", lambda: find(BrokerAt(port=port)) == one.pid)
        finally:
            one.kill()


@pytest.mark.parametrize(
    ("said", "is_broker"),
    [
        ("process.roles=controller", False),
        ("process.roles controller", False),
        ("process.roles=broker\nprocess.roles=controller", False),
        ("process.roles=controller\nprocess.roles=broker,controller", True),
        ("process.roles=broker,controller", True),
        ("", True),
    ],
)
def test_a_controller_on_the_same_host_is_no_broker(
    said: str, is_broker: bool, port: int, main_class: str, tmp_path: Path
) -> None:
    """It is of the same main class; what its properties say tells. The file is named from its own folder."""
    (tmp_path / "some.properties").write_text(f"node.id=7\nlisteners=A://:{port}\n{said}\n")
    with listening(0, main_class, "some.properties", cwd=tmp_path) as one:
        assert find(BrokerAt(port=port)) == (one.pid if is_broker else None)


@pytest.mark.parametrize(
    ("listeners", "override", "is_ours"),
    [
        ("", "", False),
        ("listeners=A://:1{port},\\\n  B://127.0.0.1:1", "", False),
        ("listeners=A://:1,\\\n  B://127.0.0.1:{port}", "", True),
        ("listeners=A://:1", "listeners=A://:{port}", True),
        ("listeners=A://:{port}", "listeners=A://:1", False),
    ],
)
def test_another_broker_on_the_host_is_not_taken_for_one_that_died(
    listeners: str, override: str, is_ours: bool, port: int, main_class: str, tmp_path: Path
) -> None:
    """Which port it listens on, or will, its properties and its command line say; Kafka's default is 9092."""
    (tmp_path / "some.properties").write_text(f"process.roles=broker\n{listeners.format(port=port)}\n")
    more = ("--override", override.format(port=port)) if override else ()
    with listening(0, main_class, "some.properties", *more, cwd=tmp_path) as one:
        assert find(BrokerAt(port=port)) == (one.pid if is_ours else None)
        assert find(BrokerAt(port=9092)) == (None if listeners else one.pid)


def test_a_port_that_the_properties_do_not_spell_out_is_not_guessed(
    port: int, main_class: str, tmp_path: Path
) -> None:
    """A ConfigProvider knows it."""
    (tmp_path / "some.properties").write_text("listeners=A://:${env:PORT}\n")
    with (
        listening(0, main_class, "some.properties", cwd=tmp_path),
        pytest.raises(OSError, match=r"cannot be seen: some.properties names no port: A://:\$\{env:PORT\}"),
    ):
        find(BrokerAt(port=port))


def test_what_may_be_a_mere_controller_is_not_taken_for_a_dead_broker(port: int, main_class: str) -> None:
    """Its properties cannot be read, so that nobody knows: an answer would hide its death."""
    command = [
        sys.executable,
        "-c",
        LISTENING.format(host="127.0.0.1", port=0),
        main_class,
        "/nowhere/controller.properties",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one:
        try:
            assert one.stdout is not None
            assert one.stdout.readline() == "on\n"
            with pytest.raises(
                OSError, match=r"Kafka process will cannot be seen: .*nowhere.*; name host\.process"
            ):
                find(BrokerAt(port=port))
        finally:
            one.kill()


def test_by_a_pid_file(tmp_path: Path, port: int, main_class: str) -> None:
    """None where there is no file or no process, or another one has the pid of a broker that crashed; what is
    no pid is an error that says so."""
    file = tmp_path / "kafka.pid"
    at = BrokerAt(pid_file=str(file))
    assert find(at) is None
    with listening(port, main_class, "server.properties") as process:
        file.write_text(f"{process.pid}\n")
        assert find(at) == process.pid
    file.write_text(f"{os.getpid()}\n")
    assert find(at) is None
    file.write_text(str(2**22 + 1))
    assert find(at) is None
    file.write_text("-1\n")
    with pytest.raises(OSError, match="holds no pid: '-1'"):
        find(at)


@pytest.fixture
def control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of kafka.service, as cgroup v2 has it."""
    monkeypatch.setattr(control_groups, "_ROOTS", (tmp_path / "cgroup", tmp_path / "none"))
    folder = tmp_path / "cgroup/system.slice/kafka.service"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes a stand-in for systemctl on the PATH: few machines that run tests have systemd."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(script: str) -> None:
        file = tmp_path / "systemctl"
        wanted = "show --property MainPID,LoadState,ControlGroup -- kafka.service"
        file.write_text(f'#!/bin/sh\n[ "$*" = "{wanted}" ] || exit 9\n{script}\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    return write


UNIT = BrokerAt(unit="kafka.service")
SHOWN = "echo MainPID={}; echo LoadState={}; echo ControlGroup=/system.slice/kafka.service"


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (SHOWN.format(0, "loaded"), None),  # it does not run
        (SHOWN.format(0, "masked"), None),
        (SHOWN.format(0, "not-found"), "systemd knows no unit kafka.service"),  # mistyped
        (
            "echo LoadState=loaded",
            "does not tell the main pid of kafka.service: 'LoadState=loaded",
        ),  # a target
        ("echo Failed to connect to bus >&2; exit 1", "Failed to connect to bus"),
        ("exec sleep 60", "systemctl has not answered for"),
    ],
)
def test_by_a_systemd_unit(script: str, found: str | None, systemctl: Callable[[str], None]) -> None:
    """One that does not run, and what keeps it from being known."""
    systemctl(script)
    if found is not None:
        with pytest.raises(OSError, match=found):
            find(UNIT)
    else:
        assert find(UNIT) is None


def test_the_main_process_of_a_unit(
    systemctl: Callable[[str], None], control_group: Path, main_class: str, tmp_path: Path
) -> None:
    """A broker, or a JVM of another main class, beside whatever else the unit runs."""
    for load in ("loaded", "not-found"):  # its file is gone and it runs on
        with listening(0, main_class, "server.properties") as process, listening(0) as other:
            (control_group / "cgroup.procs").write_text(f"{process.pid}\n{other.pid}\n")
            systemctl(SHOWN.format(process.pid, load))
            assert find(UNIT) == process.pid
    java = tmp_path / "java"
    java.symlink_to(shutil.which("sleep") or "")
    with subprocess.Popen([java, "99"]) as process:
        try:
            systemctl(SHOWN.format(process.pid, "loaded"))
            until("its command line", lambda: kafka_processes.command(process.pid)[0].endswith(b"java"))
            assert find(UNIT) == process.pid
        finally:
            process.kill()


def test_a_unit_whose_main_process_has_only_started_the_broker(
    systemctl: Callable[[str], None], control_group: Path, main_class: str, tmp_path: Path
) -> None:
    """A script, or sudo, which has the broker's words in its own command line: it holds next to nothing."""
    java = tmp_path / "java"
    java.symlink_to(sys.executable)
    program = [str(java), "-c", LISTENING.format(host="127.0.0.1", port=0), main_class, "x"]
    below = control_group / "container"
    below.mkdir()
    with listening(0) as script, listening(0, *program) as sudo:
        systemctl(SHOWN.format(sudo.pid, "loaded"))
        (control_group / "cgroup.procs").write_text(f"{script.pid}\n{sudo.pid}\n")
        with subprocess.Popen(program, stdout=subprocess.PIPE) as broker:
            try:
                until(
                    "its command line",
                    lambda: kafka_processes.command(broker.pid)[-3:-1] == [main_class.encode(), b"x"],
                )
                (below / "cgroup.procs").write_text(f"{broker.pid}\n")
                assert find(UNIT) == broker.pid
                systemctl(SHOWN.format(script.pid, "loaded"))
                assert find(UNIT) == broker.pid
            finally:
                broker.kill()
        (control_group / "cgroup.procs").write_text(f"{script.pid}\n")
        with pytest.raises(
            OSError,
            match=rf"{script.pid}, is no broker, and no other of its processes is: name host\.process\.port$",
        ):
            find(UNIT)


def test_a_native_image_that_a_unit_runs_by_a_script_is_its_broker(
    systemctl: Callable[[str], None], control_group: Path, main_class: str, tmp_path: Path
) -> None:
    """Its program has the name of Kafka's main class, and no word of its command line has."""
    image = tmp_path / main_class
    image.symlink_to(shutil.which("sleep") or "")
    with listening(0) as script, subprocess.Popen([image, "99"]) as broker:
        try:
            until("its command line", lambda: kafka_processes.command(broker.pid)[0] == os.fsencode(image))
            (control_group / "cgroup.procs").write_text(f"{script.pid}\n{broker.pid}\n")
            systemctl(SHOWN.format(script.pid, "loaded"))
            assert find(UNIT) == broker.pid
            (tmp_path / "kafka.pid").write_text(f"{broker.pid}\n")
            assert find(BrokerAt(pid_file=str(tmp_path / "kafka.pid"))) == broker.pid
        finally:
            broker.kill()


def test_a_tool_that_a_unit_runs_before_its_broker_is_not_taken_for_it(
    systemctl: Callable[[str], None], control_group: Path, tmp_path: Path
) -> None:
    """kafka-storage, say, or a wait for ZooKeeper: a JVM of another main class, which a script runs."""
    java = tmp_path / "java"
    java.symlink_to(shutil.which("sleep") or "")
    with listening(0) as script, subprocess.Popen([java, "99"]) as tool:
        try:
            until("its command line", lambda: kafka_processes.command(tool.pid)[0].endswith(b"java"))
            (control_group / "cgroup.procs").write_text(f"{script.pid}\n{tool.pid}\n")
            systemctl(SHOWN.format(script.pid, "loaded"))
            with pytest.raises(
                OSError, match=rf"{script.pid}, is no broker, and no other of its processes is"
            ):
                find(UNIT)
        finally:
            tool.kill()


def test_two_brokers_on_one_port_are_told_apart_by_their_addresses(
    port: int, main_class: str, tmp_path: Path
) -> None:
    """Each on an address of its own: the one that is down is not the other. Who listens everywhere is it."""
    (tmp_path / "second.properties").write_text(f"process.roles=broker\nlisteners=A://127.0.0.2:{port}\n")
    at = [BrokerAt(port=port, hosts=(f"127.0.0.{last}",)) for last in (1, 2)]
    with listening(port, main_class, "second.properties", cwd=tmp_path, host="127.0.0.2") as second:
        assert [find(each) for each in at] == [None, second.pid]
        assert find(BrokerAt(port=port, hosts=("localhost",))) is None
        with listening(port, main_class, "server.properties") as first:
            assert [find(each) for each in at] == [first.pid, second.pid]
            assert find(BrokerAt(port=port, hosts=("localhost",))) == first.pid
            with pytest.raises(OSError, match=rf"port {port} is held by .*, of which 2 may be the broker"):
                find(BrokerAt(port=port))
    with listening(0, main_class, "second.properties", cwd=tmp_path) as starting:
        assert [find(each) for each in at] == [None, starting.pid]
    with listening(port, main_class, "server.properties", host="0.0.0.0") as anywhere:
        assert [find(each) for each in at] == [anywhere.pid] * 2


def test_brokers_on_one_port_are_told_apart_where_the_listener_to_probe_is_told_by_its_name(
    port: int, main_class: str, tmp_path: Path
) -> None:
    """It leads to the same broker as the address in the broker's own properties."""
    for last in (1, 2):
        (tmp_path / f"{last}.properties").write_text(f"listeners=A://127.0.0.{last}:{port}\n")
    at = BrokerAt(port=port, hosts=("127.0.0.1", "localhost"))
    with listening(port, main_class, "2.properties", cwd=tmp_path, host="127.0.0.2"):
        assert find(at) is None
        with listening(port, main_class, "1.properties", cwd=tmp_path) as own:
            assert find(at) == own.pid
        with listening(port, main_class, "gone.properties", cwd=tmp_path) as unread:
            assert find(at) == unread.pid
    with listening(0, main_class, "1.properties", cwd=tmp_path) as starting:
        assert find(at) == starting.pid


@pytest.mark.parametrize("leads_to", [None, "10.9.9.9"])
def test_a_broker_is_found_by_its_own_properties_wherever_its_name_leads(
    leads_to: str | None, port: int, main_class: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nowhere while no resolver answers, or to a balancer, or to where it has moved."""

    def lookup(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if leads_to is None:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(2, 1, 6, "", (leads_to, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    at = [BrokerAt(port=port, hosts=(f"broker{number}.example.com",)) for number in (1, 2)]
    for number in (1, 2):
        said = f"listeners=A://broker{number}.example.com:{port}\n"
        (tmp_path / f"{number}.properties").write_text(said)
    with listening(port, main_class, "1.properties", cwd=tmp_path) as first:
        assert [find(each) for each in at] == [first.pid, None]
        with listening(port, main_class, "2.properties", cwd=tmp_path, host="127.0.0.2") as second:
            assert [find(each) for each in at] == [first.pid, second.pid]
    with listening(port, main_class, "gone.properties", cwd=tmp_path) as alone:
        assert find(at[0]) == alone.pid
        with (
            listening(port, main_class, "gone.properties", cwd=tmp_path, host="127.0.0.2"),
            pytest.raises(OSError, match=rf"port {port} at broker1\.example\.com, but \d+, \d+ at another"),
        ):
            find(at[0])
    with (
        listening(port),
        pytest.raises(OSError, match=r"broker1\.example\.com, but what is no broker at another address"),
    ):
        find(at[0])


@pytest.mark.parametrize("moved", [False, True])
def test_a_dead_broker_is_not_another_one_where_its_name_leads_here(
    moved: bool, port: int, main_class: str, tmp_path: Path
) -> None:
    """Nobody listens where the name leads to, and what the other one is to be cannot be seen."""
    (tmp_path / "shared.properties").write_text(f"listeners=A://localhost:{port}\n")
    more = ["shared.properties", "--override", f"listeners=A://127.0.0.2:{port}"] if moved else ["gone"]
    at = BrokerAt(port=port, hosts=("localhost",))
    with listening(port, main_class, *more, cwd=tmp_path, host="127.0.0.2") as other:
        with listening(port, main_class, "shared.properties", cwd=tmp_path) as own:
            assert find(at) == own.pid
        own.wait()
        with pytest.raises(OSError, match=rf"at localhost, but {other.pid} at another address"):
            find(at)


def test_a_broker_whose_command_line_moves_its_listener_is_not_dead(
    port: int, main_class: str, tmp_path: Path
) -> None:
    """Whether it is another one that has the same file cannot be seen."""
    (tmp_path / "shared.properties").write_text(f"listeners=A://127.0.0.2:{port}\n")
    more = ("shared.properties", "--override", f"listeners=A://127.0.0.1:{port}")
    with listening(port, main_class, *more, cwd=tmp_path) as moved:
        assert find(BrokerAt(port=port, hosts=("127.0.0.1",))) == moved.pid
        with pytest.raises(OSError, match=rf"{moved.pid} at another address, and whether that is the broker"):
            find(BrokerAt(port=port, hosts=("127.0.0.2",)))


def test_addresses_are_read_as_the_kernel_writes_them(port: int) -> None:
    """IPv6's, and IPv4's in sockets of IPv6, as a JVM's are."""
    for host, address in (("::1", "::1"), ("::ffff:127.0.0.1", "127.0.0.1"), ("::", "::")):
        with socket.socket(socket.AF_INET6) as server:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            server.bind((host, port))
            server.listen()
            (found,) = listening_sockets.listening(port)
            assert (str(found.address), found.owner) == (address, os.getuid())
            assert listening_sockets.at_host([found], "[::1]") == (
                [found] if host != "::ffff:127.0.0.1" else []
            )


def test_who_holds_the_port_for_a_container_is_no_broker(port: int, main_class: str) -> None:
    """docker-proxy, say: its memory would be taken for the broker's, and Jolokia be attached to it."""
    with (
        listening(port) as proxy,
        pytest.raises(OSError, match=rf"{port} is held by process {proxy.pid}, of wh"),
    ):
        find(BrokerAt(port=port))


async def test_without_systemd_it_is_said_and_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that there is no broker on this host, as a file that is missing would say."""
    monkeypatch.setenv("PATH", "/nonexistent")
    at = BrokerAt(unit="kafka.service")
    with pytest.raises(OSError, match=r"no systemctl in PATH to ask for the main pid of kafka\.service"):
        find(at)
    source = Kernel([BrokerProcess(at)], 1000)
    source.wanted = frozenset({"host_broker_up"})
    await source.read(1)
    assert source.unread == {"host_broker_up"}


@needs_root
def test_the_properties_of_a_broker_in_a_container_are_those_that_it_finds(
    tmp_path: Path, port: int, main_class: str
) -> None:
    """Under the same name this host may have another's."""
    outside, inside = tmp_path / "etc", tmp_path / "inside"
    for folder, said in ((outside, "listeners=A://:1"), (inside, f"listeners=A://:{port}")):
        folder.mkdir()
        (folder / "server.properties").write_text(said)
    contained = ["unshare", "--mount", "sh", "-ec", f'mount --bind {inside} {outside}; exec "$@"', "-"]
    broker = [sys.executable, "-c", "import time; time.sleep(99)", main_class, f"{outside}/server.properties"]
    with subprocess.Popen([*contained, *broker]) as one:
        try:
            until("it to be found", lambda: find(BrokerAt(port=port)) == one.pid)
        finally:
            one.kill()


@needs_root
def test_another_broker_in_a_container_is_not_taken_for_one_that_died(port: int, tmp_path: Path) -> None:
    """In a network of its own it has the same port. Who shows it to this host must be told."""
    file = tmp_path / "server.properties"
    file.write_text(f"listeners=A://:{port}\n")
    broker = [sys.executable, "-c", "import time; time.sleep(99)", kafka_processes.MAIN_CLASS.decode()]
    with subprocess.Popen(["unshare", "--net", *broker, str(file)]) as other:
        try:
            until("it to run", lambda: [pid for pid, _ in kafka_processes.brokers()] == [other.pid])
            until("its own network", lambda: not kafka_processes.shares_network(other.pid))
            with pytest.raises(
                OSError, match=rf"but maybe process {other.pid} in a network namespace of its"
            ):
                find(BrokerAt(port=port))
            with listening(0, kafka_processes.MAIN_CLASS.decode(), str(file)) as own:
                assert find(BrokerAt(port=port)) == own.pid
        finally:
            other.kill()


@needs_root
def test_a_container_is_not_taken_for_who_holds_what_its_proxy_does(port: int, main_class: str) -> None:
    """Both are the same user's, whose descriptors are not to be read: the container holds nothing of it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "server.properties"
        file.write_text(f"listeners=A://:{port}\n")
        broker = [sys.executable, "-c", "import time; time.sleep(99)", main_class, str(file)]
        with (
            listening(port, host="127.0.0.2"),
            subprocess.Popen(["unshare", "--net", *broker]) as other,
        ):
            try:
                until(
                    "its command line", lambda: main_class.encode() in kafka_processes.command(other.pid)[3:]
                )
                until("its own network", lambda: not kafka_processes.shares_network(other.pid))
                said = found_by_another_user(port, "127.0.0.1", main=main_class)
                assert f"but maybe process {other.pid} in a network namespace of its own" in said
                assert "that user runs 0 brokers" in found_by_another_user(port, main=main_class)
            finally:
                other.kill()


@needs_root
def test_another_users_broker_that_does_not_listen_yet_is_found_by_what_all_may_read(
    port: int, main_class: str
) -> None:
    """Its root may not be looked into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "server.properties"
        file.write_text(f"listeners=A://:{port}")
        with listening(0, main_class, str(file)) as process:
            assert found_by_another_user(port, main=main_class) == str(process.pid)


UNSEEN = ["unshare", "--mount", "sh", "-ec", 'mount -t proc -o hidepid=2 proc /proc; exec "$@"', "-"]


@needs_root
def test_another_users_broker_is_found_by_owner_and_command_line(port: int, main_class: str) -> None:
    """Its descriptors are not to be read, and need not be."""
    with listening(port, main_class, "server.properties") as process:
        assert found_by_another_user(port, main=main_class) == str(process.pid)


@needs_root
def test_which_of_several_it_is_is_not_guessed(port: int, main_class: str) -> None:
    """Nor whether a process without Kafka's main class is one; the error says what to do."""
    with listening(port):
        said = found_by_another_user(port, main=main_class)
    assert said.startswith(f"PermissionError: who listens on port {port} cannot be seen")
    assert "that user runs 0 brokers" in said
    assert said.endswith("or name host.process.unit or pid_file")


READ = """
import sys, time
from agent.sources import broker_port, control_groups, kafka_processes, listening_sockets
from agent.sources.broker_process import *
kafka_processes.MAIN_CLASS = b"kafka.Kafka.of-another-user"
where, file = sys.argv[1].split("=")
part = BrokerProcess(BrokerAt(port=int(file)) if where == "port" else BrokerAt(pid_file=file))
"""
UP = "print(dict((name, value) for name, _, value in part.read(frozenset()))['host_broker_up'])"


@needs_root
def test_a_broker_that_proc_hides_is_not_taken_for_a_dead_one(tmp_path: Path, port: int) -> None:
    """As under hidepid=2, and ProtectProc=invisible in the agent's unit. Of one that ended all is known."""
    file = tmp_path / "kafka.pid"
    tmp_path.chmod(0o755)
    file.write_text(str(os.getpid()))
    said = said_to_another_user(READ + UP, f"file={file}", before=UNSEEN)
    assert said.startswith(
        f"agent.sources.kafka_processes.Hidden: process {os.getpid()} lives and cannot be seen"
    )
    assert "(hidepid, or ProtectProc= in its unit)" in said
    for gone in ("0", str(2**22 + 1), "9" * 30):
        file.write_text(gone)
        assert said_to_another_user(READ + UP, f"file={file}", before=UNSEEN) == "0.0"

    said = said_to_another_user(READ + UP, f"port={port}", before=UNSEEN)
    assert f"Hidden: nobody listens on port {port}, and whether a Kafka process will cannot be seen" in said
    assert said_to_another_user(READ + UP, f"port={port}") == "0.0"
    with listening(port, "kafka.Kafka.of-another-user", "server.properties"):
        said = said_to_another_user(READ + UP, f"port={port}", before=UNSEEN)
    assert said.startswith(f"PermissionError: who listens on port {port} cannot be seen")
    assert "that user runs 0 brokers, as far as /proc (hidepid" in said


OWN = """
import subprocess
command = [sys.executable, "-c", LISTENING.format(host="127.0.0.1", port=file)]
command += ["kafka.Kafka.of-another-user", "x"]
for _ in range(2):
    own = subprocess.Popen(command, stdout=subprocess.PIPE)
    own.stdout.readline()
    seen = [value for name, _, value in part.read(frozenset()) if name == "host_broker_up"]
    own.kill()
    own.wait()
    print(*seen, *[value for name, _, value in part.read(frozenset()) if name == "host_broker_up"])
"""


@needs_root
def test_the_end_of_a_broker_that_was_seen_is_seen_where_proc_hides_others(port: int) -> None:
    """The agent runs as its user then."""
    assert (
        said_to_another_user(READ + f"LISTENING = {LISTENING!r}\n" + OWN, f"port={port}", before=UNSEEN)
        == "1.0 0.0\n1.0 0.0"
    )


def test_limits_are_read_as_the_kernel_writes_them() -> None:
    """Unlimited is infinity."""
    text = Path("/proc/self/limits").read_text()
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert rlimit(text, "Max open files") == soft
    assert (
        rlimit(
            "Max processes             unlimited            unlimited            processes\n", "Max processes"
        )
        > 1e9
    )
    with pytest.raises(ValueError, match="has no 'Max processes'"):
        rlimit("", "Max processes")
