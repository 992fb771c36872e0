"""The protocol probe against brokers that answer, hang, hang up, and are not there."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fake_broker import FakeBroker

from agent import name_lookups
from agent.kafka.connection import Broker, Security
from agent.kafka.errors import KafkaUnreachable
from agent.sources import SourceFailed
from agent.sources.protocol_probe import METRICS, ProtocolProbe

ALL = frozenset(metric.name for metric in METRICS)


def probe(address: str, deadline: float = 20.0) -> ProtocolProbe:
    """One that rules ask for."""
    own = ProtocolProbe(address, Security(), 1000, deadline)
    own.wanted = ALL
    return own


async def values(own: ProtocolProbe) -> dict[str, float]:
    """One reading, by the name without its prefix; failures by their reason."""
    return {
        "".join(dict(s.labels).values()) or s.name.removeprefix("kafka_probe_"): s.value
        for s in await own.read(5)
    }


async def test_a_broker_that_answers_is_up_and_gets_a_new_connection_each_time() -> None:
    """The acceptor is probed as well."""
    async with FakeBroker({}) as fake:
        own = probe(fake.address)
        seen = [await values(own) for _ in range(3)]

        assert fake.connections == 3
    assert [each["up"] for each in seen] == [1, 1, 1]
    assert 0 < seen[0]["seconds"] < 20
    assert (seen[2]["timeout"], seen[2]["unreachable"]) == (0, 0)


async def test_a_broker_that_accepts_and_does_not_answer_times_out() -> None:
    """As a stopped process does; how long was waited is told, and the next reading is as prompt."""
    async with FakeBroker({}, deaf=True) as fake:
        own = probe(fake.address, deadline=0.2)
        await values(own)
        seen = await values(own)

    assert (seen["up"], seen["timeout"], seen["unreachable"]) == (0, 2, 0)
    assert seen["seconds"] >= 0.2


async def test_a_closed_port_is_unreachable_and_no_timeout() -> None:
    """A broker that is down is another fault than one that hangs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        seen = await values(probe(f"127.0.0.1:{taken.getsockname()[1]}"))

    assert (seen["up"], seen["timeout"], seen["unreachable"]) == (0, 0, 1)


def test_a_look_up_that_takes_long_makes_no_broker_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules tell one that refuses from one that hangs by the seconds; a name is looked up once a reading."""
    asked = []

    def slow(*args: Any, **more: Any) -> Any:
        asked.append(args[0])
        time.sleep(0.6)
        return look_up(*args, **more)

    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        seen = name_lookups.run(values(probe(f"localhost:{taken.getsockname()[1]}", 5.0)))

    assert asked == ["localhost"]
    assert (seen["up"], seen["timeout"], seen["unreachable"]) == (0, 0, 1)
    assert seen["seconds"] < 0.6


async def test_a_connection_that_does_not_come_about_is_no_broker_that_accepts() -> None:
    """Its accept queue is full, so that the kernel drops what asks to connect, as a firewall may."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        clients = [socket.socket() for _ in range(8)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        seen = await values(probe(f"127.0.0.1:{server.getsockname()[1]}", deadline=0.3))
        for client in clients:
            client.close()

    assert (seen["up"], seen["connect_timeout"], seen["timeout"], seen["unreachable"]) == (0, 1, 0, 0)
    assert 0.3 <= seen["seconds"] < 0.8


async def test_why_it_is_not_answered_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """And again once it was answered meanwhile."""
    async with FakeBroker({}) as fake:
        own = probe(fake.address)
        for deaf in (True, True, False, True):
            fake.deaf, own._deadline = deaf, 0.3 if deaf else 20.0
            await values(own)

    assert sum("no connection within 0.3 s" in record.message for record in caplog.records) == 2


async def test_nothing_is_asked_where_no_rule_reads_it() -> None:
    """Not even a connection is made."""
    async with FakeBroker({}) as fake:
        own = ProtocolProbe(fake.address, Security(), 1000)
        assert await own.read(5) == []
        assert fake.connections == 0


async def test_tls_files_that_cannot_be_read_say_nothing_of_the_broker(tmp_path: Path) -> None:
    """It may be healthy: `up 0` would have a person restart it. Files are exchanged at any time."""
    security = Security("SSL", ca_file=str(tmp_path / "none.pem"))
    async with FakeBroker({}, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as fake:
        own = ProtocolProbe(fake.address, security, 1000)
        own.wanted = ALL
        with pytest.raises(SourceFailed, match=r"was not asked: No such file .*none\.pem"):
            await own.read(5)


@pytest.mark.parametrize("began_before_s", [0.0, 0.5])
async def test_a_dead_broker_is_told_though_others_read_the_tls_files_at_that_moment(
    began_before_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As each connection of the agent's does: the probe's own reading was over before it was refused."""
    security, release = Security("SSL"), threading.Event()
    reads = list[asyncio.Task[bool]]()

    async def ask(broker: Broker, *_: object) -> None:
        reads.append(asyncio.create_task(security._thread.run(release.wait, 60)))
        await asyncio.sleep(0)
        security._thread._began -= began_before_s
        raise KafkaUnreachable(broker.address, "Connection refused")

    monkeypatch.setattr(Broker, "ask", ask)
    own = ProtocolProbe("127.0.0.1:1", security, 1000, deadline=60)
    own.wanted = ALL
    try:
        assert (await own.read(5))[0].value == 0
    finally:
        release.set()
        await asyncio.gather(*reads)


async def test_a_broker_that_was_not_asked_while_the_tls_files_were_waited_for_is_not_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind many connections, each of which reads them for a moment only."""
    monkeypatch.setattr(Security, "_read", lambda _: time.sleep(0.01))
    security = Security("SSL")
    async with FakeBroker({}) as fake:
        own = ProtocolProbe(fake.address, security, 1000, deadline=0.2)
        own.wanted = ALL
        others = [asyncio.create_task(security.context()) for _ in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(SourceFailed, match=r"was not asked: the agent's TLS files .* within 0\.2 s"):
            await own.read(5)
        assert fake.connections == 0
        for each in others:
            each.cancel()
        await asyncio.wait(others)


async def test_a_login_that_is_refused_is_no_broker_that_does_not_answer() -> None:
    """It answers; whether its request handlers would nobody can say, so that it is not up either."""
    code, message = struct.pack(">h", 58), b"Invalid username or password"
    refused = code + struct.pack(">h", len(message)) + message + struct.pack(">i", 0)
    offers = struct.pack(">hi", 0, 1) + struct.pack(">h", 5) + b"PLAIN"
    security = Security("SASL_PLAINTEXT", mechanism="PLAIN", username="ottla", password="old")
    async with FakeBroker({17: lambda _: offers, 36: lambda _: refused + b"\0" * 8}) as fake:
        own = ProtocolProbe(fake.address, security, 1000, deadline=20.0)
        own.wanted = ALL
        with pytest.raises(SourceFailed, match=r"answers, and no login comes about: .*Invalid username"):
            await own.read(5)
