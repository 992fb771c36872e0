"""What Prometheus sees of this agent's part in the control topic."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from test_control_topic import Cluster

from agent.control_topic import ControlTopic
from agent.daemon.own_standing import OfControl


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    it = Cluster()
    yield it
    for agent in it.agents:
        await Cluster.kill(agent)


SHOWN = tuple(
    f"ottla_control_{n}" for n in ("degraded", "joins_t", "void_records_t", "leader_epochs_t", "differs")
)
REST = ["ottla_control_leader_epochs_total 0.0", "ottla_control_differs 0.0"]


def exposed(control: ControlTopic) -> list[str]:
    """What is told here, as text."""
    registry = CollectorRegistry()
    registry.register(OfControl(control))
    return [line for line in generate_latest(registry).decode().splitlines() if line.startswith(SHOWN)]


async def test_void_records_by_reason_and_how_often_an_agent_of_this_name_joined(cluster: Cluster) -> None:
    one, _ = await cluster.start(1), await cluster.start(2)
    assert exposed(one) == ["ottla_control_degraded 0.0", "ottla_control_joins_total 1.0", *REST]
    for value in (b"noise", b"noise", b"\xff"):
        await cluster.log.land(value)
    await one.barrier()
    assert exposed(one) == [
        "ottla_control_degraded 0.0",
        'ottla_control_void_records_total{reason="not JSON"} 2.0',
        'ottla_control_void_records_total{reason="not printable ASCII"} 1.0',
        "ottla_control_joins_total 1.0",
        *REST,
    ]
    await Cluster.kill(one)
    again = await cluster.start(1)
    assert "ottla_control_joins_total 2.0" in exposed(again)
    assert exposed(one)[0] == "ottla_control_degraded 1.0"
