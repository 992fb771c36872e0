"""The lab that tests on a real cluster share, and what is told to them through the environment."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from fleet_steps import RATE, unthrottle
from hypothesis import HealthCheck, settings
from kafka_acls import documented, grant
from scene import Scene, open_scene
from untouched import untouched

from agent.kafka.errors import KafkaRefused
from agent.lab import faults
from agent.lab.cluster import Lab
from agent.lab.load import Load
from agent.lab.plan import Size
from agent.lab.properties import AGENT

settings.register_profile(  # a busy machine is no failure; what hangs is seen by the whole run's limit
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(  # the same examples each time: a failure is the change's and not the day's
    "same", settings.get_profile("patient"), derandomize=True
)
settings.load_profile("same")
pytest_plugins = ("played_brokers",)
LAB = pytest.StashKey[Lab]()


def pytest_configure(config: pytest.Config) -> None:
    """Where the tests on a real cluster are asked for (-m e2e): have it run before they are collected."""
    if config.getoption("markexpr") != "e2e" or config.getoption("collectonly"):
        return
    folder = Path(tempfile.mkdtemp(prefix="ottla-e2e-"))
    folder.chmod(0o755)  # brokers and agents are other users where we are root
    lab = config.stash[LAB] = Lab.open(folder / "lab")
    asyncio.run(_up(lab))
    os.environ["OTTLA_TEST_BOOTSTRAP"] = ",".join(lab.bootstrap)
    os.environ["OTTLA_TEST_JOLOKIA"] = str(lab.brokers[1].jolokia_url)


async def _up(lab: Lab) -> None:
    """Its agents may do just what docs/security.md grants them."""
    await lab.up(Size(exporter=True, sasl=True, relayed=True), say=lambda text: print(f"lab: {text}"))
    await grant(lab, AGENT, documented())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take it down, however the tests ended."""
    lab = config.stash.get(LAB, None)
    if lab is not None:
        asyncio.run(lab.down())
        shutil.rmtree(lab.state.parent)


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Lab:
    """One controller and three brokers, shared by all tests of the session: leave it as it was."""
    lab = request.config.stash.get(LAB, None)
    if lab is None:
        pytest.skip("no cluster: run with -m e2e")
    return lab


@pytest.fixture
async def scene(cluster: Lab, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A scene of the test's own; its agents end with it, the faults are healed, the control topic is new."""
    own = open_scene(cluster, request.node.name)
    yield own
    await asyncio.gather(*(own.agents.kill(broker) for broker in cluster.brokers))
    for broker in cluster.brokers:
        await faults.load()["kill-broker"].heal(cluster, broker, lambda _: None)
    await faults.load()["fill-disk"].heal(cluster, 2, lambda _: None)
    await unthrottle(own)
    with suppress(KafkaRefused):  # there is none where no agent came so far
        await own.admin.delete_topics(["ottla-control"])
    await own.admin.close()


@pytest.fixture
async def as_it_was(scene: Scene) -> AsyncIterator[None]:
    """Whatever a story's agents do, they leave the cluster so. The rate that stories forget is theirs."""
    async with untouched(scene, but=[RATE]):
        yield


@pytest.fixture
async def load(cluster: Lab) -> AsyncIterator[Load]:
    """Producers with acks=all; at its end no acknowledged record may be lost or reordered."""
    own = Load(cluster.bootstrap, rate=100)
    await own.start()
    yield own
    report = await own.stop()
    assert report.acked > 0
    assert (report.lost, report.reordered) == (0, 0), report
