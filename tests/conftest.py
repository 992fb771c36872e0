"""The lab that tests on a real cluster share, and what is told to them through the environment."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from scene import Scene, open_scene

from agent.kafka.errors import KafkaRefused
from agent.lab import faults
from agent.lab.cluster import Lab
from agent.lab.load import Load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on a real cluster use the shared lab; each is told by its environment where that is."""
    for item in items:
        if item.get_closest_marker("e2e") and "tests/lab/" not in item.nodeid:
            item.add_marker(pytest.mark.usefixtures("cluster"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Lab]:
    """One controller and three brokers, for the whole session; taken down at its end."""
    folder = Path(tempfile.mkdtemp(prefix="ottla-e2e-"))
    folder.chmod(0o755)  # brokers and agents are other users where we are root
    lab = Lab.open(folder / "lab")
    asyncio.run(lab.up())
    os.environ["OTTLA_TEST_BOOTSTRAP"] = ",".join(lab.bootstrap)
    os.environ["OTTLA_TEST_JOLOKIA"] = str(lab.brokers[1].jolokia_url)
    yield lab
    del os.environ["OTTLA_TEST_BOOTSTRAP"], os.environ["OTTLA_TEST_JOLOKIA"]
    asyncio.run(lab.down())
    shutil.rmtree(folder)


@pytest.fixture
async def scene(cluster: Lab, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A scene of the test's own; its agents end with it, the faults are healed, the control topic is new."""
    own = open_scene(cluster, request.node.name)
    yield own
    await asyncio.gather(*(own.agents.kill(broker) for broker in cluster.brokers))
    for broker in cluster.brokers:
        await faults.load()["kill-broker"].heal(cluster, broker, lambda _: None)
    await faults.load()["fill-disk"].heal(cluster, 2, lambda _: None)
    with suppress(KafkaRefused):  # there is none where no agent came so far
        await own.admin.delete_topics(["ottla-control"])
    await own.admin.close()


@pytest.fixture
async def load(cluster: Lab) -> AsyncIterator[Load]:
    """Producers with acks=all; at its end no acknowledged record may be lost or reordered."""
    own = Load(cluster.bootstrap, rate=100)
    await own.start()
    yield own
    report = await own.stop()
    assert report.acked > 0
    assert (report.lost, report.reordered) == (0, 0), report
