"""A broker's process that lives, while a repeated look finds nobody, or cannot tell."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest
from played_brokers import LISTENING, NOBODY, close, closing, listening, pid_of, running

from agent.sources import broker_pid, broker_process, kafka_processes
from agent.sources.broker_pid import BrokerAt, find, look
from agent.sources.broker_port import Found
from agent.sources.broker_process import BrokerProcess

pytestmark = pytest.mark.usefixtures("main_class")


@pytest.mark.usefixtures("at_each_reading")
def test_a_broker_that_stops_is_not_gone_while_it_lives(
    port: int, main_class: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its program is not named java, its port is closed, and its properties are edited for the next start;
    then others hide, too."""
    properties = tmp_path / "server.properties"
    properties.write_text(f"listeners=A://:{port}\n")
    part = BrokerProcess(BrokerAt(port=port))
    with closing(port, main_class, str(properties), program=sys.executable) as broker:
        assert pid_of(part) == broker.pid
        properties.write_text("listeners=A://:1\n")
        close(broker)
        assert find(BrokerAt(port=port)) is None
        assert [pid_of(part), pid_of(part)] == [broker.pid] * 2
        monkeypatch.setattr(kafka_processes, "hides", lambda: True)
        assert pid_of(part) == broker.pid
    assert pid_of(part) == NOBODY


@pytest.mark.usefixtures("at_each_reading")
def test_a_broker_is_not_gone_with_its_pid_file(main_class: str, tmp_path: Path) -> None:
    """A script removes that, and then stops it."""
    file = tmp_path / "kafka.pid"
    part = BrokerProcess(BrokerAt(pid_file=str(file)))
    with listening(0, main_class, "server.properties") as broker:
        file.write_text(str(broker.pid))
        assert pid_of(part) == broker.pid
        file.unlink()
        assert pid_of(part) == broker.pid
        file.write_text("none")
        assert pid_of(part) == broker.pid
    file.unlink()
    assert pid_of(part) == NOBODY


def test_a_broker_that_lives_is_read_on_where_it_cannot_be_found_again(
    port: int, main_class: str, java: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it looked for at each reading then. It is one of a distribution that stops, beside a Kafka whose
    port nobody knows."""
    looks, now = list[BrokerAt](), time.monotonic()

    def noted(at: BrokerAt) -> Found:
        looks.append(at)
        return look(at)

    monkeypatch.setattr(broker_process, "look", noted)
    part = BrokerProcess(BrokerAt(port=port))
    with (
        listening(0, main_class, "/nowhere/other.properties"),
        closing(port, "com.acme.KafkaServer", program=java) as broker,
    ):
        assert pid_of(part) == broker.pid
        close(broker)
        for later in (70, 71, 72):
            monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
            assert pid_of(part) == broker.pid
    assert len(looks) == 2


def test_a_broker_that_lives_is_read_on_where_its_unit_is_not_told(
    java: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while systemd is started anew."""
    shown = {"MainPID": "0", "LoadState": "loaded"}
    now = time.monotonic()

    def refused(_: str) -> dict[str, str]:
        raise OSError("Failed to connect to bus")

    part = BrokerProcess(BrokerAt(unit="kafka.service"))
    with running(java, "-c", LISTENING.format(host="127.0.0.1", port=0), "com.acme.KafkaServer") as broker:
        monkeypatch.setattr(broker_pid, "_shown", lambda _: shown | {"MainPID": str(broker.pid)})
        assert pid_of(part) == broker.pid
        monkeypatch.setattr(broker_pid, "_shown", refused)
        monkeypatch.setattr(time, "monotonic", lambda: now + 100)
        assert [pid_of(part), pid_of(part)] == [broker.pid] * 2
    with pytest.raises(OSError, match="Failed to connect"):
        pid_of(part)


def test_a_guess_costs_no_name_that_is_looked_up_twice_and_is_unread_once_it_is_in_doubt(
    port: int, main_class: str, java: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that does not answer takes seconds. And one that is in doubt is not up until a look."""
    lookups, leads_to, now = list[object](), list[str](), time.monotonic()

    def lookup(host: object, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        lookups.append(host)
        if not leads_to:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(2, 1, 6, "", (each, 0)) for each in leads_to]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    at = BrokerAt(port=port, hosts=("b.example",))
    part = BrokerProcess(at)
    words = [main_class, "/nowhere/server.properties"]
    with running(java, "-c", LISTENING.format(host="127.0.0.1", port=port), *words) as other:
        assert find(at) == other.pid
        once = len(lookups)
        assert pid_of(part) == other.pid
        assert len(lookups) == 2 * once
        leads_to.append("127.0.0.2")
        for later in (70, 71, 72):
            monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
            with pytest.raises(OSError, match=f"{other.pid} at another address"):
                pid_of(part)


@pytest.mark.usefixtures("at_each_reading")
def test_a_guess_takes_no_place_of_a_broker_that_is_known(
    port: int, main_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which has closed its port, as no name leads anywhere any more and another broker is alone on it."""
    leads_to = ["127.0.0.1"]

    def lookup(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if not leads_to:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(2, 1, 6, "", (each, 0)) for each in leads_to]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    at = BrokerAt(port=port, hosts=("b.example",))
    part, words = BrokerProcess(at), (main_class, "/nowhere/server.properties")
    with closing(port, *words, program=sys.executable) as own:
        assert pid_of(part) == own.pid
        with listening(port, *words, host="127.0.0.2") as other:
            leads_to.clear()
            close(own)
            assert find(at) == other.pid
            assert pid_of(part) == own.pid


@pytest.mark.usefixtures("at_each_reading")
def test_a_jvm_of_another_main_class_is_not_gone_where_it_has_closed_its_port(
    port: int, main_class: str, java: str
) -> None:
    """As a broker does while it stops."""
    part = BrokerProcess(BrokerAt(port=port))
    with closing(port, "com.acme.KafkaServer", program=java) as broker:
        assert pid_of(part) == broker.pid
        close(broker)
        assert pid_of(part) == broker.pid
        with listening(port, main_class, "server.properties") as other:
            assert pid_of(part) == other.pid, "it is looked for on"
    assert pid_of(part) == NOBODY
