"""Brokers that are hard to find by their port: of other users, containers and main classes, native images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from played_brokers import AS_AGENT, LISTENING, found_by_another_user, listening, needs_root, running, until

from agent.lab.ports import free_ports
from agent.sources import broker_port, kafka_processes
from agent.sources.broker_pid import BrokerAt, find
from agent.sources.broker_process import BrokerProcess

pytestmark = pytest.mark.usefixtures("main_class")

WAITING = "import time; time.sleep(99)"
AS_KAFKA = AS_AGENT  # the agent may look at what that runs


@pytest.fixture
def shown() -> Iterator[Path]:
    """A folder that other users see."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def waiting(*command: str | Path, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until the block ends, and whose command line is what is meant."""
    with subprocess.Popen(list(map(str, command)), cwd=cwd) as process:
        try:
            words = [os.fsencode(word) for word in command]
            until("its command line", lambda: kafka_processes.command(process.pid)[:-1] == words)
            yield process
        finally:
            process.kill()


def program(folder: Path, name: str) -> Path:
    """Python by another name."""
    (folder / name).symlink_to(sys.executable)
    return folder / name


@needs_root
def test_a_broker_of_another_user_is_weighed_beside_one_that_can_be_looked_at(
    port: int, main_class: str, shown: Path
) -> None:
    """What either is to be cannot be seen while its name leads nowhere: who is seen is not guessed."""
    at = "broker-b.invalid"
    with (
        listening(port, main_class, "/nowhere/a.properties", before=AS_KAFKA) as seen,
        listening(port, main_class, str(shown / "b.properties"), host="127.0.0.2") as other,
    ):
        said = found_by_another_user(port, at, main=main_class)
        assert f"at {at}, but {seen.pid}, {other.pid} at another address" in said
        (shown / "b.properties").write_text(f"listeners=A://{at}:{port}\n")
        assert found_by_another_user(port, at, main=main_class) == str(other.pid)
        with listening(port, host="127.0.0.3"):
            assert found_by_another_user(port, at, main=main_class) == str(other.pid)


@needs_root
def test_one_that_is_alone_is_not_guessed_beside_who_cannot_be_seen(port: int, main_class: str) -> None:
    """It may be a JVM of a distribution's main class."""
    with (
        listening(port, main_class, "/nowhere/a.properties", before=AS_KAFKA) as seen,
        listening(port, host="127.0.0.2"),
    ):
        said = found_by_another_user(port, "broker-b.invalid", main=main_class)
    assert f"but {seen.pid} at another address, and whether that is the broker cannot be seen" in said


@needs_root
def test_no_file_of_this_host_is_read_for_a_container_that_cannot_be_looked_into(
    port: int, main_class: str, shown: Path
) -> None:
    """By the same name that is the broker's which died. The container has this host's network."""
    (shown / "etc").mkdir()
    (shown / "inside").mkdir()
    (shown / "etc/server.properties").write_text(f"listeners=A://127.0.0.1:{port}\n")
    (shown / "inside/server.properties").write_text(f"listeners=A://127.0.0.2:{port}\n")
    contained = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec"]
    contained += [f'mount --bind {shown}/inside {shown}/etc; exec "$@"', "-"]
    java = str(program(shown, "java"))
    listens = LISTENING.format(host="127.0.0.2", port=port)
    command = [*contained, java, "-c", listens, main_class, f"{shown}/etc/server.properties"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one:
        try:
            assert one.stdout is not None
            assert one.stdout.readline() == "on\n"
            said = found_by_another_user(port, "127.0.0.1", main=main_class)
            assert "at another address, and whether that is the broker cannot be seen" in said
            assert found_by_another_user(port, "127.0.0.2", main=main_class).isdecimal()
        finally:
            one.kill()


@pytest.mark.parametrize("option", ["--config", "-C"])
def test_a_native_image_that_does_not_listen_yet_is_found(
    option: str, port: int, main_class: str, tmp_path: Path
) -> None:
    """As Kafka's own container starts it; before that another one of it formats the storage."""
    image = program(tmp_path, main_class)
    for name in ("start", "setup"):
        (tmp_path / name).write_text(WAITING)
    (tmp_path / "server.properties").write_text(f"listeners=A://:{port}\n")
    with waiting(image, "setup", option, "server.properties", cwd=tmp_path):
        assert find(BrokerAt(port=port)) is None
    with waiting(image, "start", option, "server.properties", "-Da=b", cwd=tmp_path) as broker:
        assert find(BrokerAt(port=port)) == broker.pid
        assert find(BrokerAt(port=port, hosts=("127.0.0.1",))) == broker.pid
        (tmp_path / "server.properties").write_text("listeners=A://:1\n")
        assert find(BrokerAt(port=port)) is None


@needs_root
def test_another_users_native_image_is_found_by_its_owner(port: int, main_class: str, shown: Path) -> None:
    """As a JVM is."""
    image = program(shown, main_class)
    (shown / "start").write_text(LISTENING.format(host="127.0.0.1", port=port))
    command = [str(image), "start", "--config", "server.properties"]
    with subprocess.Popen(command, cwd=shown, stdout=subprocess.PIPE, text=True) as broker:
        try:
            assert broker.stdout is not None
            assert broker.stdout.readline() == "on\n"
            assert found_by_another_user(port, main=main_class) == str(broker.pid)
        finally:
            broker.kill()


def test_a_broker_of_another_main_class_that_is_started_again_is_not_dead(port: int, tmp_path: Path) -> None:
    """Nothing says which port it is to have, but the one before it was started alike and had this one."""
    java = program(tmp_path, "java")
    (tmp_path / "broker.py").write_text(LISTENING.format(host="127.0.0.1", port=port))
    command = [str(java), "broker.py", "com.acme.KafkaServer", "server.properties"]
    part = BrokerProcess(BrokerAt(port=port))

    def is_up() -> float:
        return next(value for name, _, value in part.read(frozenset()) if name == "host_broker_up")

    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout is not None
        assert broker.stdout.readline() == "on\n"
        assert is_up() == 1
        broker.kill()
    assert is_up() == 0
    (tmp_path / "broker.py").write_text(WAITING)
    with (
        waiting(*command, cwd=tmp_path) as again,
        pytest.raises(OSError, match=rf"whether process {again.pid}, which was started like the broker"),
    ):
        is_up()
    assert is_up() == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_broker_is_dead_where_its_name_leads_here_and_only_a_proxy_has_its_port(
    host: str, port: int
) -> None:
    """At another address: nobody is left who may be the broker."""
    with listening(port, host="127.0.0.2"):
        assert find(BrokerAt(port=port, hosts=(host,))) is None


def test_a_file_whose_path_is_too_long_to_be_told_keeps_no_broker_from_being_found(
    port: int, main_class: str, tmp_path: Path
) -> None:
    """Anybody may have one open."""
    deep = tmp_path / "deep"
    opens = (
        "import os, sys, time\n"
        "for _ in range(25):\n"
        "    os.mkdir('d' * 200); os.chdir('d' * 200)\n"
        "file = open('x', 'w'); print('on', flush=True); time.sleep(99)\n"
    )
    deep.mkdir()
    proxied = listening(port, main_class, "server.properties")
    with (
        proxied as broker,
        listening(port, host="127.0.0.2"),  # so that everybody is looked at
        subprocess.Popen([sys.executable, "-c", opens], cwd=deep, stdout=subprocess.PIPE) as other,
    ):
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"on\n"
            assert find(BrokerAt(port=port, hosts=("127.0.0.1",))) == broker.pid
        finally:
            other.kill()
    shutil.rmtree(deep)


@needs_root
def test_who_started_a_broker_need_not_be_looked_into(port: int, main_class: str, shown: Path) -> None:
    """sudo is root's, so that its folder is hidden, and with it the file that a relative path names."""
    java = program(shown, "java")
    (shown / "server.properties").write_text(f"listeners=A://:{port}\n")
    command: list[str | Path] = [java, "-c", WAITING, main_class, "server.properties"]
    with waiting(sys.executable, "-c", WAITING, *command, cwd=shown) as sudo:
        assert "whether a Kafka process will cannot be seen" in found_by_another_user(port, main=main_class)
        with listening(0, str(java), *map(str, command[3:]), cwd=shown, before=AS_KAFKA) as unlikely:
            assert "cannot be seen" in found_by_another_user(port, main=main_class), (sudo.pid, unlikely.pid)
        with subprocess.Popen([*AS_KAFKA, *map(str, command)], cwd=shown) as broker:
            try:
                until(
                    "its command line",
                    lambda: kafka_processes.command(broker.pid)[0] == os.fsencode(java),
                )
                assert found_by_another_user(port, main=main_class) == str(broker.pid)
            finally:
                broker.kill()


def test_what_is_no_file_of_the_broker_alone_is_not_read(port: int, main_class: str, tmp_path: Path) -> None:
    """The agent's own input is another one, and a named pipe would hold it."""
    os.mkfifo(tmp_path / "pipe")
    for file, why in (
        ("/dev/stdin", "is another file for each process"),
        ("/dev/fd/63", "is another file for each process"),
        (str(tmp_path / "pipe"), "is no regular file"),
        (str(tmp_path), "is no regular file"),
    ):
        with (
            listening(0, main_class, file),
            pytest.raises(OSError, match=rf"Kafka process will cannot be seen: .*{file} {why}"),
        ):
            find(BrokerAt(port=port))


def test_a_backslash_at_the_end_of_the_properties_takes_no_override_in(
    port: int, main_class: str, tmp_path: Path
) -> None:
    """Java reads them apart."""
    (tmp_path / "server.properties").write_text("node.id=1\nlog.dirs=/a\\")
    override = f"--override=listeners=A://:{port}"
    with listening(0, main_class, "server.properties", override, cwd=tmp_path) as broker:
        assert find(BrokerAt(port=port)) == broker.pid


def test_nobody_is_looked_at_who_is_less_likely_a_broker_than_who_has_the_port(
    port: int, main_class: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at hundreds of thousands of descriptors takes seconds. Nor is anybody looked at twice."""
    looked_at, own = list[int](), broker_port._own

    def counted(pid: int, sockets: Collection[str]) -> set[str]:
        looked_at.append(pid)
        return own(pid, sockets)

    monkeypatch.setattr(broker_port, "_own", counted)
    java, listens = str(program(tmp_path, "java")), LISTENING.format(host="127.0.0.1", port=port)
    with running(java, "-c", listens, main_class, "gone.properties") as broker:
        for hosts in ((), ("127.0.0.1",)):
            looked_at.clear()
            assert find(BrokerAt(port=port, hosts=hosts)) == broker.pid
            assert looked_at == [broker.pid]
        with listening(port, host="127.0.0.2"):
            looked_at.clear()
            assert find(BrokerAt(port=port, hosts=("127.0.0.1",))) == broker.pid
            assert os.getpid() in looked_at
            assert len(looked_at) == len(set(looked_at))


def test_no_command_line_is_read_of_what_is_not_named_as_a_jvm_where_one_has_the_port(
    port: int, main_class: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the process' memory, whose lock is held for ever where its disk hangs."""
    read, command = list[int](), kafka_processes.command

    def noted(pid: int) -> list[bytes]:
        read.append(pid)
        return command(pid)

    java, listens = str(program(tmp_path, "java")), LISTENING.format(host="127.0.0.1", port=port)
    with running(java, "-c", listens, main_class, "server.properties") as broker:
        monkeypatch.setattr(kafka_processes, "command", noted)
        for hosts in ((), ("127.0.0.1",)):
            read.clear()
            assert find(BrokerAt(port=port, hosts=hosts)) == broker.pid
            assert broker.pid in read
            assert not {os.getpid(), os.getppid()} & {*read}


@needs_root
def test_an_owners_broker_of_another_port_does_not_hold_this_one(
    port: int, main_class: str, shown: Path
) -> None:
    """Another program of that user may. Whose properties say so is found beside it."""
    (another,) = free_ports(1)
    for name, its in (("a", port), ("b", another)):
        (shown / f"{name}.properties").write_text(f"listeners=A://127.0.0.1:{its}\n")
    with listening(another, main_class, str(shown / "b.properties")):
        with listening(port):
            said = found_by_another_user(port, main=main_class)
            assert "that user runs 0 brokers besides 1 of another port; run the agent" in said
        with listening(port, main_class, str(shown / "a.properties")) as own:
            assert found_by_another_user(port, main=main_class) == str(own.pid)
        with listening(port, main_class, "/nowhere/a.properties") as own:
            assert found_by_another_user(port, main=main_class) == str(own.pid)


@needs_root
def test_an_owners_broker_has_the_port_whatever_its_properties_say_of_its_next_start(
    port: int, main_class: str, shown: Path
) -> None:
    """It is its owner's only one, or the others listen where they say. And nobody is left out for one who
    looks more like a broker and is another port's."""
    another, edited = free_ports(2)
    java, listens = str(program(shown, "java")), LISTENING.format(host="127.0.0.1", port=another)
    (shown / "b.properties").write_text(f"listeners=A://127.0.0.1:{another}\n")
    own = shown / "a.properties"
    own.write_text(f"listeners=A://127.0.0.1:{edited}\n")
    with listening(port, main_class, str(own)) as broker:
        assert found_by_another_user(port, main=main_class) == str(broker.pid)
        with running(java, "-c", listens, main_class, str(shown / "b.properties")):
            assert found_by_another_user(port, main=main_class) == str(broker.pid)
            own.write_text(f"listeners=A://127.0.0.1:{port}\n")
            assert found_by_another_user(port, main=main_class) == str(broker.pid)


@needs_root
def test_an_owners_broker_at_another_address_of_the_port_is_not_guessed(
    port: int, main_class: str, shown: Path
) -> None:
    """Its properties name the port, and not the address; those of the other cannot be read."""
    (shown / "b.properties").write_text(f"listeners=A://127.0.0.2:{port}\n")
    with (
        listening(port, main_class, "/nowhere/a.properties"),
        listening(port, main_class, str(shown / "b.properties"), host="127.0.0.2") as other,
    ):
        assert "that user runs 2 brokers" in found_by_another_user(port, "127.0.0.1", main=main_class)
        assert found_by_another_user(port, "127.0.0.2", main=main_class) == str(other.pid)
