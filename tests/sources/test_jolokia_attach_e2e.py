"""Jolokia is attached to a real broker that was started without it, and again after the broker's crash."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.assembly.eyes import make_where
from agent.config.settings import AUTO, JolokiaSettings
from agent.lab import nodes
from agent.lab.cluster import Lab
from agent.lab.jars import find_or_fetch, silent
from agent.lab.plan import Node
from agent.lab.processes import LAB_UID
from agent.model import Sample
from agent.series import Series
from agent.sources import PROCESS_START, SourceFailed
from agent.sources.broker_pid import BrokerAt
from agent.sources.jolokia import Jolokia, Known, Where
from agent.sources.schedule import Polling

BROKER = 3
STATE = "kafka_server_kafkaserver_brokerstate"
COUNTER = "kafka_server_brokertopicmetrics_bytesin_total"
PROJECT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.e2e


async def start_bare(node: Node) -> None:
    """Start the broker without an agent, and wait until it takes connections."""
    jars = await asyncio.to_thread(find_or_fetch, None, silent)
    await asyncio.to_thread(nodes.start, node, jars, jolokia=False)
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", node.port)
            except OSError:
                await asyncio.sleep(0.2)
            else:
                writer.close()
                return


@pytest.fixture
async def bare(cluster: Lab) -> AsyncIterator[Node]:
    """A broker whose JVM holds no Jolokia; afterwards it is as it was."""
    await cluster.kill(BROKER)
    await start_bare(cluster.node(BROKER))
    yield cluster.node(BROKER)
    await cluster.kill(BROKER)
    await cluster.start_broker(BROKER)


@pytest.fixture
async def jar(cluster: Lab) -> str:
    """The agent's jar."""
    return (await asyncio.to_thread(find_or_fetch, cluster.plan.kafka, silent)).jolokia


def attaching(node: Node, jar: str) -> Where:
    """As `attach: auto` is wired."""
    return make_where(JolokiaSettings(attach=AUTO, agent_jar=jar), BrokerAt(port=node.port))


async def test_a_broker_without_an_agent_is_attached_read_and_found_again(
    bare: Node, cluster: Lab, jar: str
) -> None:
    """Its agent asks for a login; a crash ends every series before the new process's begin."""
    with pytest.raises(SourceFailed, match=r"the broker has no file /nowhere\.jar"):
        await attaching(bare, "/nowhere.jar").find()
    where = attaching(bare, jar)
    batches: list[list[Sample]] = []
    names = frozenset({STATE, COUNTER})
    polling = Polling(Jolokia(where, names, 1000), batches.append, lambda: time.time_ns() // 1_000_000)
    async with asyncio.timeout(20):
        while value(batches, STATE) != 3.0:
            await polling.once()
            await asyncio.sleep(0.1)
    address = await where.find()
    assert address.url.startswith("http://127.0.0.1:")
    for login in (None, ("ottla", "wrong")):
        with pytest.raises(SourceFailed, match=r"HTTP 401 .*: check username and password_file"):
            await Jolokia(Known(address.url, login), names, 1000).read(1)

    started, seen = value(batches, PROCESS_START), {s[:2] for s in map(key, batches[-1])}
    await cluster.kill(BROKER)
    await polling.once()
    assert polling.last_error
    assert "does not run" in polling.last_error
    await start_bare(bare)
    async with asyncio.timeout(20):
        while value(batches, PROCESS_START) == started:
            await polling.once()
            await asyncio.sleep(0.1)

    ended = {s[:2] for s in map(key, batches[-1]) if math.isnan(s[2])}
    assert ended == {each for each in seen if not each[0].startswith("ottla_source_")}
    assert where.attached == 2
    kept = Series(600_000)
    for batch in batches:
        kept.add(batch)
    assert kept.refused == 0


def value(batches: list[list[Sample]], name: str) -> float | None:
    """The newest number of a series without labels."""
    found = [
        s.value for b in batches for s in b if s.name == name and not s.labels and not math.isnan(s.value)
    ]
    return found[-1] if found else None


def key(sample: Sample) -> tuple[str, object, float]:
    return sample.name, sample.labels, sample.value


async def test_another_user_is_told_whose_broker_it_is(cluster: Lab, jar: str) -> None:
    """And the broker is not signalled: it goes on, and prints nothing."""
    if os.geteuid() != 0:
        pytest.skip("only root can run something as another user")
    node = cluster.node(101)  # a controller: it has no agent either
    before = node.output.read_text()
    code = (
        "import asyncio; from agent.sources.jolokia_attach import *;"
        f"asyncio.run(Attached(Plan(lambda: {node.pid}, 'its pid', {jar!r})).find())"
    )
    switch = ["setpriv", f"--reuid={LAB_UID + 1}", f"--regid={LAB_UID + 1}", "--clear-groups"]
    switch += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # it may read our code
    done = await asyncio.to_thread(
        subprocess.run,
        [*switch, sys.executable, "-c", code],
        cwd=PROJECT,
        env={"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"runs as user {LAB_UID}, group {LAB_UID}, and the agent as {LAB_UID + 1}" in done.stderr
    assert node.output.read_text() == before
