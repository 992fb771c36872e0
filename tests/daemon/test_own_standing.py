"""What Prometheus sees of this agent's part in the control topic."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from test_control_topic import Cluster, eventually

from agent.control_topic import ControlTopic
from agent.daemon.own_standing import OfControl, standing
from agent.families import written
from agent.model import Sample
from agent.sources.control_standing import METRICS, ControlStanding


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
    lines = written(OfControl(control).collect()).decode().splitlines()
    return [line for line in lines if line.startswith(SHOWN)]


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


async def test_a_rule_reads_nothing_of_the_log_before_it_is_read_to_its_end(cluster: Cluster) -> None:
    """A counter that leaps at each start would be a storm each time."""
    control = cluster.agent(1)
    assert standing(control) == {"ottla_control_degraded": True, "ottla_control_differs": False}
    await control.start()
    await eventually(lambda: control.degraded is None and control.caught_up, "the join", 20)
    known = standing(control)
    assert set(known) == {metric.name for metric in METRICS}
    assert (known["ottla_control_degraded"], known["ottla_control_joins_total"]) == (False, 1)


async def test_it_is_asked_only_where_a_rule_reads_it() -> None:
    """As every source."""
    source = ControlStanding(lambda: {"ottla_control_degraded": True}, 1_000)
    assert await source.read(5) == []
    source.wanted = frozenset({"ottla_control_degraded"})
    assert await source.read(5) == [Sample("ottla_control_degraded", (), 5, 1.0)]
