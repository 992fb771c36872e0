"""A broker's process that is looked for again, while the one that was found lives and after its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from played_brokers import LISTENING, NOBODY, listening, pid_of, running, until

from agent.sources import broker_pid, broker_process, control_groups, kafka_processes
from agent.sources.broker_pid import BrokerAt, look
from agent.sources.broker_port import Found
from agent.sources.broker_process import BrokerProcess

pytestmark = pytest.mark.usefixtures("main_class")

FROM_A_FILE = (
    "import socket, time; s = socket.create_server(('127.0.0.1', int(open('port').read())));"
    " print('on', flush=True); time.sleep(99)"
)


@pytest.mark.usefixtures("at_each_reading")
def test_what_started_the_broker_is_it_until_the_broker_runs(
    port: int, main_class: str, java: str, tmp_path: Path
) -> None:
    """sudo has the broker's words in its own, and is alone while it asks who may."""
    (tmp_path / "server.properties").write_text(f"listeners=A://127.0.0.1:{port}\n")
    words = [java, "-c", LISTENING.format(host="127.0.0.1", port=port), main_class, "server.properties"]
    part = BrokerProcess(BrokerAt(port=port))
    with listening(0, *words, cwd=tmp_path) as sudo:
        assert pid_of(part) == sudo.pid
        with running(*words, cwd=tmp_path) as broker:
            assert pid_of(part) == broker.pid
            broker.send_signal(signal.SIGSTOP)
            until("it to be stopped", lambda: ("host_broker_stopped", (), 1.0) in part.read(frozenset()))


@pytest.mark.usefixtures("at_each_reading")
def test_what_started_the_broker_of_a_unit_is_it_until_the_broker_runs(
    main_class: str, java: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where systemd does not answer, nothing is known that is new."""
    shown = {"MainPID": "0", "LoadState": "loaded", "ControlGroup": "/kafka"}
    monkeypatch.setattr(broker_pid, "_shown", lambda _: shown)
    monkeypatch.setattr(control_groups, "_ROOTS", (tmp_path,))
    (tmp_path / "kafka").mkdir()
    words = [java, "-c", LISTENING.format(host="127.0.0.1", port=0), main_class, "server.properties"]
    part = BrokerProcess(BrokerAt(unit="kafka.service"))

    def silent(_: str) -> dict[str, str]:
        raise TimeoutError

    with listening(0, *words) as sudo:
        shown["MainPID"] = str(sudo.pid)
        assert pid_of(part) == sudo.pid
        with running(*words) as broker, monkeypatch.context() as hung:
            (tmp_path / "kafka/cgroup.procs").write_text(f"{sudo.pid}\n{broker.pid}\n")
            hung.setattr(broker_pid, "_shown", silent)
            assert pid_of(part) == sudo.pid
            hung.undo()
            assert pid_of(part) == broker.pid


@pytest.mark.usefixtures("at_each_reading")
def test_one_that_was_alone_while_no_name_led_anywhere_is_not_the_broker_for_life(
    port: int, main_class: str, java: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent starts before the resolver answers, and the own broker after it."""
    part, leads_to = BrokerProcess(BrokerAt(port=port, hosts=("b.example",))), list[str]()

    def lookup(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if not leads_to:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(2, 1, 6, "", (each, 0)) for each in leads_to]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    words = [main_class, "/nowhere/server.properties"]
    with running(java, "-c", LISTENING.format(host="127.0.0.1", port=port), *words) as other:
        assert [pid_of(part), pid_of(part)] == [other.pid] * 2
        leads_to.append("127.0.0.2")
        with running(java, "-c", LISTENING.format(host="127.0.0.2", port=port), *words) as own:
            assert pid_of(part) == own.pid
            leads_to.clear()
            assert pid_of(part) == own.pid, "it was no guess, and lives"
            leads_to.append("127.0.0.2")
        for _ in range(2):
            with pytest.raises(OSError, match=rf"{other.pid} at another address, and whether that is the"):
                pid_of(part)


def test_what_is_a_broker_by_all_its_words_is_not_looked_for_again(
    port: int, main_class: str, java: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is dear. What may be none is, once a minute."""
    looks = list[BrokerAt]()

    def noted(at: BrokerAt) -> Found:
        looks.append(at)
        return look(at)

    monkeypatch.setattr(broker_process, "look", noted)
    now = time.monotonic()
    for program, expected in ((java, 1), (sys.executable, 2)):
        with running(program, "-c", LISTENING.format(host="127.0.0.1", port=port), main_class, "x") as broker:
            part = BrokerProcess(BrokerAt(port=port))
            looks.clear()
            for later in (0, 1, 70, 71):
                monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
                assert pid_of(part) == broker.pid
            assert len(looks) == expected


def test_another_broker_that_was_started_alike_and_before_is_not_one_that_died(
    port: int, java: str, tmp_path: Path
) -> None:
    """Both run a distribution's own main class, each in a folder of its own."""
    for name, its in (("a", port), ("b", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "port").write_text(str(its))
    words = [java, "-c", FROM_A_FILE, "com.acme.KafkaServer", "server.properties"]
    part = BrokerProcess(BrokerAt(port=port))
    with running(*words, cwd=tmp_path / "b"):
        with running(*words, cwd=tmp_path / "a") as own:
            assert pid_of(part) == own.pid
        assert pid_of(part) == NOBODY
        (tmp_path / "a/port").write_text("0")
        with (
            running(*words, cwd=tmp_path / "a") as again,
            pytest.raises(OSError, match=rf"whether process {again.pid}, which was started like the broker"),
        ):
            pid_of(part)
        assert pid_of(part) == NOBODY


def test_the_death_of_a_broker_is_told_beside_another_one_that_is_started_alike_after_it(
    port: int, java: str, tmp_path: Path
) -> None:
    """In a folder of its own, where the same words name other properties."""
    for name, its in (("a", port), ("b", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "port").write_text(str(its))
    words = [java, "-c", FROM_A_FILE, "com.acme.KafkaServer", "config/server.properties"]
    part = BrokerProcess(BrokerAt(port=port))
    with running(*words, cwd=tmp_path / "a") as own:
        assert pid_of(part) == own.pid
    assert pid_of(part) == NOBODY
    with running(*words, cwd=tmp_path / "b"):
        assert pid_of(part) == NOBODY


def test_what_has_no_words_was_started_by_none() -> None:
    """As a process that has just ended, or one of the kernel: all of them would be alike."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert kafka_processes.command(process.pid) == [b""]
        assert kafka_processes.unnamed(process.pid) == []
