"""Files by which the broker is found and trusted, on a disk that hangs."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from hung_files import LOOKS, assert_threads_are_free, hung

from agent.assembly import hands
from agent.config import load
from agent.journal import Journal
from agent.sources import SourceFailed, jolokia
from agent.sources.broker_pid import BrokerAt, find
from agent.sources.broker_process import BrokerProcess
from agent.sources.jolokia import Jolokia, Known
from agent.sources.jolokia_attach import Attached, Plan
from agent.sources.kernel import Kernel


async def test_the_authorities_of_jolokia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading fails in words, and costs none of the threads that all share."""
    monkeypatch.setattr(jolokia, "_AUTHORITIES_S", 0.2)
    source = Jolokia(Known("https://127.0.0.1:1/jolokia"), frozenset(), 1000)
    with hung(tmp_path / "authorities.pem") as file:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with asyncio.timeout(20):
            for _ in range(LOOKS):
                with pytest.raises(SourceFailed, match=r"authorities has not returned for 0\.2 s"):
                    await source.read(1)
        await assert_threads_are_free()

    monkeypatch.delenv("SSL_CERT_FILE")
    async with asyncio.timeout(20):
        while "has not returned" in (why := await failure(source)):
            pass
    assert why.startswith("no answer from https://127.0.0.1:1/jolokia: ")


async def failure(source: Jolokia) -> str:
    """Of one reading."""
    try:
        await source.read(1)
    except (SourceFailed, TimeoutError) as error:
        return str(error)
    return ""


async def test_the_pid_file_where_jolokia_is_attached(tmp_path: Path) -> None:
    """The same."""
    with hung(tmp_path / "broker.pid") as file:
        plan = Plan(partial(find, BrokerAt(pid_file=str(file))), f"pid file {file}", "jolokia.jar")
        where = Attached(plan, deadline=0.2)
        async with asyncio.timeout(20):
            for _ in range(LOOKS):
                with pytest.raises(TimeoutError, match="attaching Jolokia to the broker has not returned"):
                    await where.find()
        await assert_threads_are_free()


async def test_the_pid_file_of_the_process_that_rules_ask_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted as unread and told once."""
    part = BrokerProcess(BrokerAt(pid_file=str(tmp_path / "broker.pid")))
    source = Kernel([part], 1000, deadline=0.2)
    source.wanted = frozenset({"host_broker_up"})
    with hung(tmp_path / "broker.pid"):
        async with asyncio.timeout(20):
            for _ in range(LOOKS):
                samples = await source.read(1)
        await assert_threads_are_free()

    assert [(s.name, s.value) for s in samples] == [("host_unread_total", LOOKS)]
    assert [record.getMessage() for record in caplog.records] == [
        f"host: {part.name}: reading of the host has not returned for 0.2 s, at {part.name}"
    ]


CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:1/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [data]}
host: {process: {pid_file: PID_FILE}}
state: state
socket: ottla.sock
"""


async def test_the_pid_file_where_an_effect_is_fenced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is not known then, so that it is waited till nothing can land, as of another host's."""
    monkeypatch.setattr(hands, "PROCESS_S", 0.2)
    file = tmp_path / "ottla.yml"
    file.write_text(CONFIG.replace("PID_FILE", str(tmp_path / "broker.pid")))
    config = load(file)
    admin = hands.make_admin(config)
    control = hands.make_control(config, admin, Journal(config.state))
    fence = hands.make_fence(config, control, admin)
    with hung(tmp_path / "broker.pid"):
        async with asyncio.timeout(20):
            assert {await fence.process(1) for _ in range(LOOKS)} == {None}
        await assert_threads_are_free()
    await admin.close()
