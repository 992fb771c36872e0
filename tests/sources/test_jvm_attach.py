"""The attach protocol against a process that stands in for a JVM, and what is never signalled."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec import structs

from agent.sources import SourceFailed
from agent.sources.jolokia_attach import Attached, Plan
from agent.sources.jvm_attach import AttachFailed, Jvm, Process, process_of


class Listener:
    """Answers at the attach socket of another process, which itself knows nothing of it."""

    def __init__(self, pid: int, answer: Callable[[list[str]], bytes | None]) -> None:
        self.path = Path(f"/tmp/.java_pid{pid}")
        self.asked: list[list[str]] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                self._one(self._socket.accept()[0])

    def _one(self, connection: socket.socket) -> None:
        received = b""
        while received.count(b"\0") < 5:
            received += connection.recv(4096)
        self.asked.append(received.decode().split("\0")[:-1])
        answer = self._answer(self.asked[-1])
        if answer is None:
            self._kept.append(connection)  # silence
            return
        connection.sendall(answer)
        connection.close()

    def close(self) -> None:
        for each in (self._socket, *self._kept):
            each.close()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def process() -> Iterator[Process]:
    """A process that SIGQUIT would end."""
    with subprocess.Popen(["sleep", "600"]) as sleeping:
        found = process_of(sleeping.pid)
        assert found
        yield found
        sleeping.kill()


@pytest.fixture
def listening(process: Process) -> Iterator[Callable[..., Listener]]:
    """Starts a listener for it, or for another one."""
    open_: list[Listener] = []

    def listen(answer: Callable[[list[str]], bytes | None], other: Process = process) -> Listener:
        open_.append(Listener(other.pid, answer))
        return open_[-1]

    yield listen
    for each in open_:
        each.close()


def attached(process: Process, jar: str, **more: int) -> Attached:
    return Attached(Plan(lambda: process.pid, "the test", jar, **more, auth=("own", "word")), deadline=20.0)


class FakeJvm:
    """A JVM's answers; Jolokia in it tells its URL as the properties of 17.0.15 do."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url
        self.options: list[dict[str, str]] = []

    def answer(self, asked: list[str]) -> bytes:
        if asked[1] == "properties":
            told = f"jolokia.agent={self.url.replace(':', chr(92) + ':')}\n" if self.url else ""
            return f"0\n#Sat Nov 28 14:11:24 UTC 2026\n{told}java.home=/usr\nx=a\\=b\n".encode()
        options = dict(option.split("=", 1) for option in asked[4].split("=", 1)[1].split(","))
        self.options.append(options)
        self.url = None if options.get("mode") == "stop" else "http://127.0.0.1:7777/ottla"
        return b"0\nreturn code: 0\n"


def test_properties_are_read(process: Process, listening: Callable[..., Listener]) -> None:
    """Version 1, the command, and always three arguments."""
    listener = listening(FakeJvm("http://127.0.0.1:8778/jolokia/").answer)

    found = Jvm(process, 20.0).properties()

    assert found == {"jolokia.agent": "http://127.0.0.1:8778/jolokia/", "java.home": "/usr", "x": "a=b"}
    assert listener.asked == [["1", "properties", "", "", ""]]


async def test_an_agent_is_loaded_once_on_loopback_with_a_password(
    process: Process, listening: Callable[..., Listener], tmp_path: Path
) -> None:
    """Which is new each time, and shown nowhere."""
    jar = tmp_path / "agent.jar"
    jar.touch()
    jvm = FakeJvm()
    listener = listening(jvm.answer)
    where = attached(process, str(jar), port=7777)

    first = await where.find()
    again = await where.find()

    (options,) = jvm.options
    assert listener.asked[1][:4] == ["1", "load", "instrument", "false"]
    assert options.pop("password") == first.auth[1] if first.auth else False
    assert options == {
        "host": "127.0.0.1",
        "port": "7777",
        "agentContext": "/ottla",
        "user": "ottla",
        "discoveryEnabled": "false",
    }
    assert (first.url, first) == ("http://127.0.0.1:7777/ottla", again)
    assert where.attached == 1
    assert first.auth
    assert first.auth[1] not in repr(first)


async def test_our_own_agent_from_before_is_replaced_and_anothers_is_used(
    process: Process, listening: Callable[..., Listener], tmp_path: Path
) -> None:
    """Its password died with the agent that made it; a stranger's login is the configuration's."""
    jar = tmp_path / "agent.jar"
    jar.touch()
    jvm = FakeJvm("http://127.0.0.1:7777/ottla")
    listening(jvm.answer)

    await attached(process, str(jar)).find()
    assert [options.get("mode") for options in jvm.options] == ["stop", None]

    jvm.url = "http://127.0.0.1:8778/jolokia/"
    there = await attached(process, "/nowhere.jar").find()
    assert (there.url, there.auth) == ("http://127.0.0.1:8778/jolokia/", ("own", "word"))
    assert len(jvm.options) == 2


async def test_without_the_jar_it_says_where_to_get_it(
    process: Process, listening: Callable[..., Listener]
) -> None:
    """And loads nothing."""
    listener = listening(FakeJvm().answer)

    with pytest.raises(SourceFailed, match=r"no file /nowhere.jar: put org.jolokia:jolokia-agent-jvm"):
        await attached(process, "/nowhere.jar").find()
    assert [asked[1] for asked in listener.asked] == ["properties"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"101\nProtocol mismatch\n", "refused properties: Protocol mismatch"),
        (b"", "refused properties"),
        (None, "does not answer: it hangs or is stopped"),
    ],
)
def test_a_refusal_and_silence_are_told_apart(
    process: Process, listening: Callable[..., Listener], answer: bytes | None, why: str
) -> None:
    """In words."""
    listening(lambda _: answer)

    with pytest.raises(AttachFailed, match=why):
        Jvm(process, 0.3).properties()


def test_an_agent_that_cannot_be_loaded_is_told(
    process: Process, listening: Callable[..., Listener], tmp_path: Path
) -> None:
    """HotSpot's code, or its sentence since 21."""
    listening(lambda _: b"0\nreturn code: 102\n")
    (tmp_path / "agent.jar").touch()

    with pytest.raises(AttachFailed, match=r"did not load .*agent\.jar: return code: 102"):
        Jvm(process, 20.0).load(str(tmp_path / "agent.jar"), "")


# What a script runs in the background has SIGQUIT ignored, and so have these tests; bash cannot trap it.
INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGQUIT, signal.SIG_DFL);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def java(tmp_path: Path) -> Iterator[Callable[..., tuple[Process, Callable[[], int]]]]:
    """Starts what is taken for a JVM, and notes each SIGQUIT instead of listening, as one that was paused
    prints its threads; and counts them."""
    java = tmp_path / "java"
    java.write_bytes(Path("/bin/bash").resolve().read_bytes())
    java.chmod(0o755)
    noted = tmp_path / "noted"
    begun: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> tuple[Process, Callable[[], int]]:
        script = f"trap 'echo >> {noted}' QUIT; echo > {noted}; while :; do sleep 0.01; done"
        begun.append(subprocess.Popen([sys.executable, "-c", INTERRUPTIBLE, java, "-c", script, *options]))
        while not (noted.exists() and noted.read_text()):  # the file is there before its first line
            assert begun[-1].poll() is None
        process = process_of(begun[-1].pid)
        assert process
        return process, lambda: noted.read_text().count("\n") - 1

    yield start
    for each in begun:
        each.kill()
        each.wait()


async def test_a_jvm_that_was_paused_is_asked_again_soon(
    java: Callable[..., tuple[Process, Callable[[], int]]],
    listening: Callable[..., Listener],
    tmp_path: Path,
) -> None:
    """It printed its threads in place of listening: that is repeated after 30 s, twice as long each time, ten
    minutes at most. Meanwhile whatever made it listen is noticed."""
    jvm, signals = java()
    where = Attached(Plan(lambda: jvm.pid, "the test", str(tmp_path / "agent.jar")), deadline=0.7)
    for tries, wait in enumerate((30, 60, 120, 240, 480, 600, 600), 1):
        for _ in range(3):  # only the first of them may wake it
            with pytest.raises(SourceFailed, match=rf"within 0.2 s: was it paused .* again after {wait} s"):
                await where.find()
        assert where._refusal
        assert where._refusal.until - time.monotonic() == pytest.approx(wait, abs=10)
        while signals() < tries:
            await asyncio.sleep(0.01)
        assert signals() == tries
        where._refusal = structs.replace(where._refusal, until=0.0)

    with pytest.raises(SourceFailed):  # the next ten minutes begin
        await where.find()
    (tmp_path / "agent.jar").touch()
    listening(FakeJvm().answer, jvm)
    assert (await where.find()).url == "http://127.0.0.1:7777/ottla"
    assert where._refusal is None


async def test_a_jvm_that_lets_nobody_attach_gets_no_signal(
    java: Callable[..., tuple[Process, Callable[[], int]]],
) -> None:
    """What its command line says last counts, at each reading."""
    flag = "DisableAttachMechanism"
    jvm, signals = java("-XX:-" + flag, "-XX:+" + flag)
    where = Attached(Plan(lambda: jvm.pid, "the test", "/x.jar"))
    for _ in range(2):
        with pytest.raises(SourceFailed, match=rf"was started with -XX:\+{flag}"):
            await where.find()
    assert signals() == 0


async def test_nobody_is_signalled_who_is_no_jvm(process: Process) -> None:
    """SIGQUIT ends most programs, and makes others stop."""
    with pytest.raises(SourceFailed, match=f"process {process.pid} is no JVM"):
        await attached(process, "/x.jar").find()

    assert process_of(process.pid) == process


def test_a_jvm_that_does_not_catch_sigquit_yet_is_left_alone(tmp_path: Path) -> None:
    """In its first milliseconds it would end."""
    java = tmp_path / "java"
    java.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    java.chmod(0o755)
    with subprocess.Popen([java, "600"]) as beginning:
        process = process_of(beginning.pid)
        assert process
        with pytest.raises(AttachFailed, match="does not catch SIGQUIT"):
            Jvm(process, 20.0).properties()
        assert beginning.poll() is None
        beginning.kill()


def test_a_socket_that_somebody_else_put_there_is_not_trusted(
    process: Process, listening: Callable[..., Listener]
) -> None:
    """It would get the password."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to somebody else")
    listener = listening(FakeJvm().answer)
    os.chown(listener.path, 61_001, 61_001)

    with pytest.raises(AttachFailed, match="not the JVM's: somebody else has put it there"):
        Jvm(process, 20.0).properties()
    assert listener.asked == []


async def test_a_process_that_is_gone_or_another_is_noticed(
    process: Process, listening: Callable[..., Listener], tmp_path: Path
) -> None:
    """Its address is forgotten at once; a recycled pid has another start."""
    (tmp_path / "agent.jar").touch()
    listening(FakeJvm().answer)
    where = attached(process, str(tmp_path / "agent.jar"))
    await where.find()
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)

    with pytest.raises(SourceFailed, match="the broker does not run: there is no process by the test"):
        await where.find()
    with pytest.raises(AttachFailed, match="is gone"):
        Jvm(Process(process.pid, 1), 20.0)


async def test_a_pid_that_cannot_be_known_says_why() -> None:
    """Who looks for the process tells it as an OSError."""

    def find() -> int | None:
        raise PermissionError("the descriptors are another user's")

    with pytest.raises(SourceFailed, match="cannot be found by port 9092: the descriptors are"):
        await Attached(Plan(find, "port 9092", "/x.jar")).find()
