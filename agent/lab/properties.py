"""The text of a node's server.properties."""

from __future__ import annotations

from collections.abc import Mapping

from agent.lab.plan import Node, Plan

# Kafka waits in minutes where a test waits in seconds.
_FAST = {
    "replica.lag.time.max.ms": "5000",
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "log.retention.check.interval.ms": "3000",
    "log.segment.delete.delay.ms": "1000",
    "log.initial.task.delay.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
    "leader.imbalance.check.interval.seconds": "10",
    "log.segment.bytes": "1048576",  # the least that Kafka takes
    "log.dir.failure.timeout.ms": "10000",
    "transaction.max.timeout.ms": "5000",
    "num.replica.fetchers": "2",
    "unclean.leader.election.interval.ms": "10000",
    "controller.quorum.append.linger.ms": "0",  # by default every change of configuration takes 25 ms more
    "group.initial.rebalance.delay.ms": "0",
}
AGENT, GUEST = "ottla", "guest"  # who the SASL listeners know: the agents, and one who was granted nothing
_LOG_CLEANER_BYTES = 16 * 1024 * 1024  # of heap; the default is 128 MiB


def server_properties(plan: Plan, node: Node) -> str:
    """The whole file, ready to be written."""
    own = _broker(node) if node.is_broker else _controller(node)
    values = {**_shared(plan, node), **own, **_FAST, **_replication(len(plan.brokers))}
    if plan.size.sasl:
        values |= _sasl(plan, node)
    if node.relayed_port is not None:
        values |= _relayed(plan, node, values)
    return "".join(f"{key}={value}\n" for key, value in values.items())


def initial_controllers(plan: Plan) -> str:
    """The first voters, as `kafka-storage format --initial-controllers` takes them."""
    return ",".join(f"{c.id}@127.0.0.1:{c.port}:{c.directory_id}" for c in plan.controllers.values())


def _shared(plan: Plan, node: Node) -> Mapping[str, str]:
    return {
        "node.id": str(node.id),
        "controller.quorum.bootstrap.servers": ",".join(
            f"127.0.0.1:{c.port}" for c in plan.controllers.values()
        ),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "metadata.log.dir": str(node.metadata_dir),
        "num.io.threads": "4",
        "num.network.threads": "2",
    }


def _broker(node: Node) -> Mapping[str, str]:
    return {
        "process.roles": "broker",
        "listeners": f"PLAINTEXT://127.0.0.1:{node.port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": ",".join(str(log_dir) for log_dir in node.log_dirs),
        "log.cleaner.dedupe.buffer.size": str(_LOG_CLEANER_BYTES),
        "auto.create.topics.enable": "false",
    }


def _sasl(plan: Plan, node: Node) -> Mapping[str, str]:
    """Beside the plain listener, for the lab itself and whoever breaks it, one on which agents come."""
    values = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    if node.is_broker:
        users = " ".join(f'user_{name}="{plan.password}"' for name in (AGENT, GUEST))
        login = "org.apache.kafka.common.security.plain.PlainLoginModule"
        values |= {
            "listeners": f"PLAINTEXT://127.0.0.1:{node.port},SASL_PLAINTEXT://127.0.0.1:{node.sasl_port}",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": f"{login} required {users};",
        }
    return values


def _relayed(plan: Plan, node: Node, values: Mapping[str, str]) -> Mapping[str, str]:
    """One listener more, of the kind on which agents come, which says of itself that it is at the relay."""
    protocol = "SASL_PLAINTEXT" if plan.size.sasl else "PLAINTEXT"
    listeners, kinds = values["listeners"], values["listener.security.protocol.map"]
    own = {
        "listeners": f"{listeners},RELAYED://127.0.0.1:{node.relayed_port}",
        "advertised.listeners": f"{listeners},RELAYED://127.0.0.1:{node.relay_port}",
        "listener.security.protocol.map": f"{kinds},RELAYED:{protocol}",
    }
    login = values.get("listener.name.sasl_plaintext.plain.sasl.jaas.config")
    return own | ({"listener.name.relayed.plain.sasl.jaas.config": login} if login else {})


def _controller(node: Node) -> Mapping[str, str]:
    return {
        "process.roles": "controller",
        "listeners": f"CONTROLLER://127.0.0.1:{node.port}",
        "log.dirs": str(node.metadata_dir),
    }


def _replication(brokers: int) -> Mapping[str, str]:
    factor = str(min(3, brokers))
    least = "2" if brokers >= 3 else "1"  # with two brokers one could not be missed
    return {
        "default.replication.factor": factor,
        "min.insync.replicas": least,
        "offsets.topic.replication.factor": factor,
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.replication.factor": factor,
        "transaction.state.log.min.isr": least,
        "transaction.state.log.num.partitions": "3",
        "share.coordinator.state.topic.replication.factor": factor,
        "share.coordinator.state.topic.min.isr": least,
        "share.coordinator.state.topic.num.partitions": "3",
    }
