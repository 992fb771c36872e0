"""A rehearsed cluster: what the admin protocol tells of it and does to it, and its refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.actions.throttles import LISTS, MOVE_RATE, entries
from agent.kafka.configs import ALL_BROKERS, ConfigChange, node_of
from agent.kafka.errors import (
    UNKNOWN_TOPIC_OR_PARTITION,
    KafkaError,
    KafkaInDoubt,
    KafkaRefused,
    KafkaUnreachable,
    error_name,
)
from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.kafka.quorum import Quorum, QuorumNode
from agent.rehearsal.disks import Disks, Replica

INVALID_CONFIG = 40
CONTROLLER = 101
UNREACHABLE, IN_DOUBT = "unreachable", "in doubt"
ERRORS = {error_name(code): code for code in range(1, 140)}
CALLS = frozenset(
    {
        "brokers",
        "partitions",
        "reassignments",
        "quorum",
        "configs",
        "alter_configs",
        "log_dirs",
        "move_replicas",
    }
)
_FAST = 10 << 30  # bytes a second of a copy without a limit
_DEFAULTS = {"min.insync.replicas": "1"}  # in effect everywhere, and set nowhere


@dataclass
class Cluster(Disks):
    """Seen from broker `node`, whose disks these are. It has no clock: `advance` says what time it is.

    `values` are dynamic settings by resource; `elsewhere` the sizes of replicas at other brokers; `fails`
    what each call of the protocol answers instead: an error's name, "unreachable", or (to a write that is
    done all the same) "in doubt".
    """

    node: int = 1
    nodes: dict[int, bool] = field(default_factory=lambda: {1: False, 2: False, 3: False})  # down?
    infos: dict[Replica, PartitionInfo] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    elsewhere: dict[int, dict[Replica, int]] = field(default_factory=dict)
    reassigning: set[Replica] = field(default_factory=set)
    fails: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], int] = int
    _at: int | None = None

    def advance(self) -> None:
        """Let the time pass since this was last asked."""
        now = self.clock()
        seconds = 0.0 if self._at is None else (now - self._at) / 1000
        self._at = now
        for sizes in self.elsewhere.values():
            for key in sizes:
                sizes[key] += int(self.produced.get(key, 0) * seconds)
        if not self.nodes.get(self.node):
            self.pass_time(seconds, int(self._in_force(f"broker/{self.node}").get(MOVE_RATE, _FAST)))

    def settings(self) -> Mapping[tuple[str, str], str]:
        """All that is set dynamically, by resource and key; the order in a list of replicas means nothing."""
        return {
            (resource, key): ",".join(sorted(entries(value))) if key in LISTS else value
            for resource, values in self.values.items()
            for key, value in values.items()
        }

    # What agent.actions.ports.AdminPort and agent.sources.admin_port.FactsAdmin ask for.

    async def brokers(self, *, ask: int | None = None) -> Mapping[int, BrokerInfo]:
        """All brokers; those that are down are fenced."""
        self._ask("brokers", ask)
        return {n: BrokerInfo(n, "127.0.0.1", 9092, None, down) for n, down in self.nodes.items()}

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        """The partitions; every broker sees them alike."""
        self._ask("partitions", ask)
        return tuple(p for p in self.infos.values() if topics is None or p.topic in topics)

    async def reassignments(self) -> frozenset[Replica]:
        """What is being moved between brokers."""
        self._ask("reassignments")
        return frozenset(self.reassigning)

    async def quorum(self) -> Quorum:
        """One controller, which all brokers follow closely."""
        self._ask("quorum")
        controller = QuorumNode(CONTROLLER, self.clock(), self.clock())
        observers = (QuorumNode(n, self.clock(), self.clock()) for n, down in self.nodes.items() if not down)
        return Quorum(CONTROLLER, 1, self.clock(), (controller,), tuple(observers))

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        """What is set at the resource itself."""
        self._ask("configs", node_of(resource))
        return _some(self.values.get(resource, {}), keys)

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        """What is in effect: the default of min.insync.replicas is 1, as Kafka's."""
        self._ask("configs", node_of(resource))
        return _some(_DEFAULTS | self._in_force(resource), keys)

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        """What is set at topics."""
        self._ask("configs")
        return {t: _some(self.values.get(f"topic/{t}", {}), keys) for t in topics if t in self._topics()}

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        """Resource by resource, each all or nothing."""
        for resource in dict.fromkeys(change.resource for change in changes):
            doubt = self._ask("alter_configs", node_of(resource))
            if resource.startswith("topic/") and resource.removeprefix("topic/") not in self._topics():
                raise KafkaRefused("incremental_alter_configs", UNKNOWN_TOPIC_OR_PARTITION, resource)
            for change in changes:
                if change.resource == resource:
                    set_config(self.values, change)
            _answer(doubt)

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """This broker's dirs; of another one only the sizes of its replicas are known."""
        self._ask("log_dirs", broker)
        if broker == self.node:
            return self.described()
        sizes = self.elsewhere.get(broker, {})
        there = tuple(LogDirReplica(topic, number, size, 0, False) for (topic, number), size in sizes.items())
        return (LogDir("/data", 0, 1 << 50, 1 << 49, there),)

    async def move_replicas(self, broker: int, moves: Mapping[Replica, str]) -> Mapping[Replica, str]:
        """Begin moves; those refused with the error's name."""
        doubt = self._ask("move_replicas", broker)
        refused = {key: why for key, path in moves.items() if (why := self.move(key, path))}
        _answer(doubt)
        return refused

    async def free_bytes(self, path: str) -> tuple[int, int]:
        """Usable and total bytes of a log dir."""
        self.advance()
        return self.free(path)

    def _ask(self, call: str, node: int | None = None) -> KafkaError | None:
        """Raises what the call fails with; what is returned is to be raised after the deed."""
        self.advance()
        if node is not None and self.nodes.get(node, True):
            raise KafkaUnreachable(f"broker {node}", "it is down")
        word = self.fails.get(call)
        if word is None:
            return None
        if word == IN_DOUBT:
            return KafkaInDoubt(call, "the answer was lost")
        if word == UNREACHABLE:
            raise KafkaUnreachable("the cluster" if node is None else f"broker {node}", "no answer")
        raise KafkaRefused(call, ERRORS[word], None)

    def _in_force(self, resource: str) -> dict[str, str]:
        """The dynamic settings of a topic, or of a broker with the default of all."""
        default = self.values.get(ALL_BROKERS, {}) if resource.startswith(ALL_BROKERS) else {}
        return default | self.values.get(resource, {})

    def _topics(self) -> set[str]:
        named = {r.removeprefix("topic/") for r in self.values if r.startswith("topic/")}
        return named | {topic for topic, _ in self.infos}


def set_config(resources: dict[str, dict[str, str]], change: ConfigChange) -> None:
    """One change of the values by resource, as IncrementalAlterConfigs does it."""
    values = resources.setdefault(change.resource, {})
    present, given = list(entries(values.get(change.key))), entries(change.value)
    match change.operation:
        case "set":
            values[change.key] = str(change.value)
        case "delete":
            values.pop(change.key, None)
        case "append" if "*" in present:
            raise KafkaRefused("incremental_alter_configs", INVALID_CONFIG, "* stands alone")
        case "append":
            values[change.key] = ",".join(present + [e for e in given if e not in present])
        case _:
            values[change.key] = ",".join(e for e in present if e not in given)


def _answer(doubt: KafkaError | None) -> None:
    if doubt is not None:
        raise doubt


def _some(values: Mapping[str, str], keys: Sequence[str] | None) -> Mapping[str, str]:
    return {k: v for k, v in values.items() if keys is None or k in keys}
