"""Agents beside the lab's brokers: their configuration, and how they are started and waited for."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agent.config import load
from agent.lab import folder
from agent.lab.agents import Agent, Agents, configuration
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.plan import DISK_BYTES, DiskKind, Plan, Size, make_plan, write_plan
from agent.lab.properties import server_properties

STUB = """
import http.server, pathlib, sys, yaml
settings = yaml.safe_load(open(sys.argv[sys.argv.index("--config") + 1]))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
pathlib.Path(settings["state"], "http.address").write_text("127.0.0.1:%d" % server.server_port)
server.serve_forever()
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A short path that everybody may enter; its processes are ended with the test."""
    path = Path(tempfile.mkdtemp(prefix="ottla-"))
    path.chmod(0o755)
    yield path
    folder.clear(path)
    for left in (path / "lock", path):
        left.rmdir() if left.is_dir() else left.unlink(missing_ok=True)


def plan_in(state: Path, disk: DiskKind) -> Plan:
    """One broker and its files, which nobody runs."""
    plan = make_plan(state, Size(1, 1), "4.3.1", disk, [20_000, 20_001, 20_002])
    write_plan(state, plan)
    Path(plan.brokers[1].folder).mkdir()
    plan.brokers[1].server_properties.write_text(server_properties(plan, plan.brokers[1]))
    return plan


@pytest.mark.parametrize("disk", DiskKind)
def test_an_agent_accepts_its_configuration(state: Path, disk: DiskKind) -> None:
    """The agent's own loader reads it; plain folders have their declared capacity."""
    plan = plan_in(state, disk)
    agent = Agent(plan.brokers[1], state / "agent-1")
    agent.folder.mkdir()
    agent.config.write_text(configuration(plan, agent, Agents(Lab(state))))
    config = load(agent.config)
    assert config.broker.node_id == 1
    assert [own.path for own in config.broker.log_dirs] == [str(path) for path in plan.brokers[1].log_dirs]
    assert {own.capacity for own in config.broker.log_dirs} == {
        DISK_BYTES if disk is DiskKind.FOLDER else None
    }
    assert config.socket == agent.socket
    assert config.interval_ms == 1_000
    assert config.control.create


def test_an_agent_of_a_lab_with_sasl_says_who_it_is(state: Path) -> None:
    """By a password in a file that only it reads."""
    plan = make_plan(state, Size(1, 1, sasl=True), "4.3.1", DiskKind.FOLDER, [*range(20_000, 20_004)])
    agent = Agent(plan.brokers[1], state / "agent-1")
    told = yaml.safe_load(configuration(plan, agent, Agents(Lab(state))))

    assert told["bootstrap_servers"] == [f"127.0.0.1:{plan.brokers[1].sasl_port}"]
    assert told["security"] == {
        "protocol": "SASL_PLAINTEXT",
        "mechanism": "PLAIN",
        "username": "ottla",
        "password_file": str(agent.folder / "kafka.password"),
    }


def test_agents_may_reach_the_control_topic_by_other_addresses(state: Path) -> None:
    """As through relays, while they reach the brokers as ever; or the other way round."""
    size = Size(1, 1, relayed=True)
    plan = make_plan(state, size, "4.3.1", DiskKind.FOLDER, [*range(20_000, 20_005)])
    agent, relayed = Agent(plan.brokers[1], state / "agent-1"), plan.relayed_bootstrap
    log = yaml.safe_load(configuration(plan, agent, Agents(Lab(state), control_servers=relayed)))
    assert log["bootstrap_servers"] == list(plan.bootstrap)
    assert log["control"]["bootstrap_servers"] == list(relayed)
    both = yaml.safe_load(configuration(plan, agent, Agents(Lab(state), servers=relayed)))
    assert both["bootstrap_servers"] == list(relayed)
    assert "bootstrap_servers" not in both["control"]


def test_an_agent_may_have_the_exporter_alone(state: Path) -> None:
    """Where the lab has one: then Jolokia is not asked for the metrics."""
    plan = make_plan(state, Size(1, 1, exporter=True), "4.3.1", DiskKind.FOLDER, [*range(20_000, 20_004)])
    write_plan(state, plan)
    Path(plan.brokers[1].folder).mkdir()
    plan.brokers[1].server_properties.write_text(server_properties(plan, plan.brokers[1]))
    agent = Agent(plan.brokers[1], state / "agent-1")
    agent.folder.mkdir()
    agent.config.write_text(configuration(plan, agent, Agents(Lab(state), exporter=True)))
    config = load(agent.config)
    assert config.jolokia is None
    assert [target.url for target in config.exposition] == [plan.brokers[1].exporter_url]
    assert plan.size == Size(1, 1, exporter=True)
    assert plan.size.words == "1 controller, 1 broker with jmx_exporter"


async def test_an_agent_is_started_once_and_stopped(state: Path) -> None:
    """A second start finds it; ready means that it answers so."""
    plan_in(state, DiskKind.FOLDER)
    agents = Agents(Lab.open(state), interpreter=(sys.executable, "-c", STUB))
    agent = await agents.start(1)
    pid = agent.pid
    assert pid is not None
    assert (await agents.start(1)).pid == pid
    await agents.kill(1)
    assert agent.pid is None
    await agents.stop(1)


async def test_an_agent_that_ends_says_why(state: Path) -> None:
    """Its last words, not a time-out."""
    plan_in(state, DiskKind.FOLDER)
    agents = Agents(Lab.open(state), interpreter=(sys.executable, "-c", "raise SystemExit('rules are bad')"))
    with pytest.raises(LabError, match="agent of broker 1 ended: rules are bad"):
        await agents.start(1)


def test_a_socket_path_beyond_the_kernels_limit_is_refused(state: Path) -> None:
    """Before the agent stumbles over it."""
    plan = plan_in(state, DiskKind.FOLDER)
    with pytest.raises(LabError, match="too long for a unix socket"):
        configuration(plan, Agent(plan.brokers[1], state / ("x" * 100)), Agents(Lab(state)))
