"""Played brokers, by their command lines, and an agent of another user that looks for them: a plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.lab.ports import free_ports
from agent.sources import broker_process, kafka_processes
from agent.sources.broker_process import BrokerProcess

NOBODY = -1.0  # no pid
ROOT = Path(__file__).parents[1]
LISTENING = (
    "import socket, time; s = socket.create_server(('{host}', {port}));"
    " print('on', flush=True); time.sleep(99)"
)
CLOSING = LISTENING.replace("time.s", "input(); s.close(); print('closed', flush=True); time.s")


@pytest.fixture
def port() -> int:
    """A free one."""
    return free_ports(1)[0]


@pytest.fixture
def main_class(port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The brokers of other tests, which may run beside this one, are none here."""
    own = f"kafka.Kafka.{port}"
    monkeypatch.setattr(kafka_processes, "MAIN_CLASS", own.encode())
    return own


@pytest.fixture
def java(tmp_path: Path) -> str:
    """Python by this name."""
    (tmp_path / "java").symlink_to(sys.executable)
    return str(tmp_path / "java")


@pytest.fixture
def at_each_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for again, and not once a minute."""
    monkeypatch.setattr(broker_process, "_AGAIN_S", 0.0)


def pid_of(part: BrokerProcess) -> float:
    """That of one reading, NOBODY where none runs."""
    return {name: value for name, _, value in part.read(frozenset())}.get("host_broker_pid", NOBODY)


@contextmanager
def listening(
    port: int, *more: str, cwd: Path | None = None, host: str = "127.0.0.1", before: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A process that listens on the port; ended with the block, if it is not before. `before`: who starts it
    and is replaced by it."""
    command = [*before, sys.executable, "-c", LISTENING.format(host=host, port=port), *more]
    with running(*command, cwd=cwd) as process:
        yield process


@contextmanager
def running(
    *command: str, cwd: Path | None = None, stdin: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """What says that it is on; ended with the block, if it is not before."""
    with subprocess.Popen(command, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def closing(port: int, *words: str, program: str) -> Iterator[subprocess.Popen[str]]:
    """What listens until `close`. Ended with the block."""
    code = CLOSING.format(host="127.0.0.1", port=port)
    with running(program, "-c", code, *words, stdin=subprocess.PIPE) as process:
        yield process


def close(process: subprocess.Popen[str]) -> None:
    """As a broker does that stops, or is stopped."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "closed\n"


def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait for a condition, 20 s at most."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, f"waited 20 s for: {what}"
        time.sleep(0.02)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to be two users"
)
AS_AGENT = ["setpriv", "--reuid=61002", "--regid=61002", "--clear-groups", "--inh-caps=+dac_read_search"]
AS_AGENT += ["--ambient-caps=+dac_read_search"]  # to read the code, which may lie below /root
FIND = """
import sys
from agent.sources import kafka_processes
from agent.sources.broker_pid import *
kafka_processes.MAIN_CLASS = b"{main}"
port, *hosts = sys.argv[1:]
print(find(BrokerAt(port=int(port), hosts=tuple(hosts))))
"""


def found_by_another_user(port: int, *hosts: str, main: str = "kafka.Kafka") -> str:
    """The pid, or the end of the error. `main`: what it looks for."""
    return said_to_another_user(FIND.format(main=main), str(port), *hosts)


def said_to_another_user(code: str, *arguments: str, before: Sequence[str] = ()) -> str:
    """What it prints, or the end of the error."""
    command = [*before, *AS_AGENT, sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]
