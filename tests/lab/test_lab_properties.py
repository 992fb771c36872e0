"""A node's server.properties: never both roles, its two log dirs, and timeouts that a test can wait for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.lab.plan import DiskKind, Node, Plan, Size, make_plan, read_plan, write_plan
from agent.lab.properties import initial_controllers, server_properties


def plan_of(brokers: int = 3, controllers: int = 1) -> Plan:
    """A plan whose ports count from 20000."""
    ports = list(range(20_000, 20_000 + 2 * brokers + controllers))
    return make_plan(Path("/lab"), Size(brokers, controllers), "4.3.1", DiskKind.LOOP, ports)


def values(plan: Plan, node: Node) -> dict[str, str]:
    """The file, as Kafka reads it."""
    return dict(line.split("=", 1) for line in server_properties(plan, node).splitlines())


def test_no_node_has_both_roles() -> None:
    """Combined mode mixes the request metrics of broker and controller."""
    plan = plan_of(3, 3)
    roles = [values(plan, node)["process.roles"] for node in plan.nodes]
    assert sorted(roles) == ["broker"] * 3 + ["controller"] * 3


def test_no_two_nodes_share_a_port_or_a_folder() -> None:
    """Jolokia's ports count too."""
    plan = plan_of(3, 3)
    ports = [port for node in plan.nodes for port in (node.port, node.jolokia_port) if port]
    assert len(set(ports)) == len(ports) == 9
    assert len({node.folder for node in plan.nodes}) == 6


def test_a_broker_has_two_log_dirs_each_below_a_disk_of_its_own() -> None:
    """A disk's root has a lost+found, beside which Kafka does not start."""
    plan = plan_of()
    node = plan.brokers[2]
    assert values(plan, node)["log.dirs"] == "/lab/broker-2/disk-a/data,/lab/broker-2/disk-b/data"
    assert [path.parent for path in node.log_dirs] == list(node.disks)


def test_metadata_lies_on_no_disk_that_a_fault_may_fill() -> None:
    """Else the fault would stop the whole broker."""
    plan = plan_of()
    metadata = Path(values(plan, plan.brokers[1])["metadata.log.dir"])
    assert not any(metadata.is_relative_to(disk) for disk in plan.brokers[1].disks)


def test_every_node_knows_all_controllers() -> None:
    """By address for the brokers, by directory id for the first voters."""
    plan = plan_of(1, 3)
    expected = ",".join(f"127.0.0.1:{node.port}" for node in plan.controllers.values())
    assert {values(plan, node)["controller.quorum.bootstrap.servers"] for node in plan.nodes} == {expected}
    voters = initial_controllers(plan).split(",")
    assert [voter.split("@")[0] for voter in voters] == ["101", "102", "103"]
    assert len({voter.rsplit(":", 1)[1] for voter in voters}) == 3


@pytest.mark.parametrize(
    ("brokers", "factor", "least"), [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (5, "3", "2")]
)
def test_one_broker_can_always_be_missed_where_there_are_several(
    brokers: int, factor: str, least: str
) -> None:
    """Else no fault could be survived."""
    plan = plan_of(brokers)
    found = values(plan, plan.brokers[1])
    assert (found["default.replication.factor"], found["min.insync.replicas"]) == (factor, least)
    assert found["offsets.topic.replication.factor"] == factor


def test_changes_through_the_controller_are_not_held_back() -> None:
    """25 ms a change otherwise, on the controller's side."""
    plan = plan_of()
    assert values(plan, plan.controllers[101])["controller.quorum.append.linger.ms"] == "0"


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Nothing but the file is remembered."""
    assert read_plan(tmp_path) is None
    plan = plan_of(3, 3)
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan


def test_ids_are_no_options() -> None:
    """Kafka's tools take what begins with a dash for an option."""
    plans = [plan_of(1, 1) for _ in range(200)]
    ids = [text for plan in plans for text in (plan.cluster_id, *(node.directory_id for node in plan.nodes))]
    assert not any(text.startswith("-") for text in ids)
    assert {len(text) for text in ids} == {22}


def test_agents_of_a_lab_with_sasl_come_on_a_listener_of_their_own() -> None:
    """Everybody else, and the brokers among themselves, on the plain one, where nothing is refused."""
    size = Size(2, 1, sasl=True)
    plan = make_plan(Path("/lab"), size, "4.3.1", DiskKind.LOOP, [*range(20_000, 20_000 + size.ports)])
    node = plan.brokers[1]
    found = values(plan, node)
    listeners = f"PLAINTEXT://127.0.0.1:{node.port},SASL_PLAINTEXT://127.0.0.1:{node.sasl_port}"
    assert found["listeners"] == listeners
    assert found["inter.broker.listener.name"] == "PLAINTEXT"
    assert f'user_ottla="{plan.password}"' in found["listener.name.sasl_plaintext.plain.sasl.jaas.config"]
    assert values(plan, plan.controllers[101])["authorizer.class.name"] == found["authorizer.class.name"]
    assert set(plan.agents_bootstrap).isdisjoint(plan.bootstrap)
    assert plan.size == size
    assert size.words == "1 controller, 2 brokers with SASL"


def test_a_relayed_listener_is_one_more_of_the_agents_kind_that_says_it_is_at_the_relay() -> None:
    """It is the only one whose address is another's."""
    for sasl, protocol in ((False, "PLAINTEXT"), (True, "SASL_PLAINTEXT")):
        size = Size(2, 1, sasl=sasl, relayed=True)
        plan = make_plan(Path("/lab"), size, "4.3.1", DiskKind.LOOP, [*range(20_000, 20_000 + size.ports)])
        node = plan.brokers[2]
        found = values(plan, node)
        listening, said = found["listeners"].split(","), found["advertised.listeners"].split(",")
        assert listening[:-1] == said[:-1]
        assert listening[-1] == f"RELAYED://127.0.0.1:{node.relayed_port}"
        assert said[-1] == f"RELAYED://127.0.0.1:{node.relay_port}"
        assert found["listener.security.protocol.map"].endswith(f",RELAYED:{protocol}")
        assert ("listener.name.relayed.plain.sasl.jaas.config" in found) is sasl
        assert plan.size == size
        assert plan.relayed_bootstrap == tuple(f"127.0.0.1:{b.relay_port}" for b in plan.brokers.values())
