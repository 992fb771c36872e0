"""What a lab consists of: its nodes, their ports and the places of their files; kept as one JSON file."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from agent.lab import processes
from agent.lab.errors import LabError
from agent.lab.processes import Process

FIRST_CONTROLLER = 101
DISK_BYTES = 256 * 1024 * 1024
PLAN_FILE = "lab.json"


class DiskKind(StrEnum):
    """What limits a log dir's size."""

    LOOP = "loop"  # an ext4 file system in a file, as a broker in production has it
    TMPFS = "tmpfs"  # mmap beyond its end is a SIGBUS, not an ENOSPC
    FOLDER = "folder"  # nothing; the capacity is only declared to the agents


@dataclass(frozen=True)
class Node:
    """One Kafka process: where it listens and where its files are."""

    id: int
    folder: str
    port: int
    jolokia_port: int | None  # None: a controller
    directory_id: str  # of a controller's metadata log, as the first voters are named by it
    exporter_port: int | None = None  # of jmx_exporter, where the lab has it
    sasl_port: int | None = None  # of the listener that asks who one is, where the lab has it
    relayed_port: int | None = None  # of the listener that is reached through a relay, where the lab has it
    relay_port: int | None = None  # what that listener says of itself: where somebody's relay listens

    @property
    def is_broker(self) -> bool:
        """Whether it is a broker; otherwise it is a controller."""
        return self.jolokia_port is not None

    @property
    def name(self) -> str:
        """What people call it: `broker 2`."""
        return f"{'broker' if self.is_broker else 'controller'} {self.id}"

    @property
    def tag(self) -> str:
        """The value of OTTLA_LAB_NODE in the environment of its process."""
        return self.folder

    @property
    def process(self) -> Process | None:
        """The process that runs now."""
        return processes.find(self.tag)

    @property
    def pid(self) -> int | None:
        """Its pid."""
        process = self.process
        return process.pid if process else None

    @property
    def server_properties(self) -> Path:
        """Kafka's own configuration file."""
        return Path(self.folder, "server.properties")

    @property
    def metadata_dir(self) -> Path:
        """`metadata.log.dir`, apart from the log dirs so that their faults do not stop the broker."""
        return Path(self.folder, "metadata")

    @property
    def logs_dir(self) -> Path:
        """The folder of server.log, controller.log, state-change.log and log-cleaner.log."""
        return Path(self.folder, "logs")

    @property
    def server_log(self) -> Path:
        """The log of everything that has no file of its own."""
        return self.logs_dir / "server.log"

    @property
    def output(self) -> Path:
        """What the process prints: the JVM's and Jolokia's last words."""
        return self.logs_dir / "output.txt"

    @property
    def disks(self) -> tuple[Path, ...]:
        """The roots of the file systems of a broker's log dirs."""
        return tuple(Path(self.folder, f"disk-{letter}") for letter in "ab") if self.is_broker else ()

    @property
    def log_dirs(self) -> tuple[Path, ...]:
        """Kafka's log dirs: below the disks' roots, since it refuses to start beside a `lost+found`."""
        return tuple(disk / "data" for disk in self.disks)

    @property
    def jolokia_url(self) -> str:
        """Where Jolokia answers; a controller has none."""
        return f"http://127.0.0.1:{self.jolokia_port}/jolokia"

    @property
    def exporter_url(self) -> str | None:
        """Where jmx_exporter answers."""
        return None if self.exporter_port is None else f"http://127.0.0.1:{self.exporter_port}/metrics"


@dataclass(frozen=True)
class Size:
    """How large a lab is to be; `exporter`: with jmx_exporter in each broker, beside Jolokia; `sasl`: with
    the authorizer on and a listener for its agents, who may there do only what they were granted; `relayed`:
    with one more listener in each broker, whose advertised port is that of a relay that a test starts."""

    brokers: int = 3
    controllers: int = 1
    exporter: bool = False
    sasl: bool = False
    relayed: bool = False

    @property
    def ports(self) -> int:
        """How many its nodes listen on."""
        return (2 + self.exporter + self.sasl + 2 * self.relayed) * self.brokers + self.controllers

    @property
    def words(self) -> str:
        """For people."""
        plural = "" if self.controllers == 1 else "s"
        parts = ("jmx_exporter", self.exporter), ("SASL", self.sasl), ("relayed listeners", self.relayed)
        more = " and ".join(words for words, has in parts if has)
        return (
            f"{self.controllers} controller{plural}, {self.brokers} broker{'' if self.brokers == 1 else 's'}"
            f"{f' with {more}' if more else ''}"
        )


@dataclass(frozen=True)
class Plan:
    """A whole lab, written down before the first of it exists."""

    kafka: str  # version
    cluster_id: str
    disk: DiskKind
    nodes: tuple[Node, ...]
    password: str = ""  # of everybody who is known to the SASL listeners

    @property
    def brokers(self) -> dict[int, Node]:
        """The brokers by node id."""
        return {node.id: node for node in self.nodes if node.is_broker}

    @property
    def controllers(self) -> dict[int, Node]:
        """The controllers by node id."""
        return {node.id: node for node in self.nodes if not node.is_broker}

    @property
    def size(self) -> Size:
        """How large it is."""
        exporter = any(node.exporter_port is not None for node in self.nodes)
        sasl = any(node.sasl_port is not None for node in self.nodes)
        relayed = any(node.relayed_port is not None for node in self.nodes)
        return Size(len(self.brokers), len(self.controllers), exporter, sasl, relayed)

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """The brokers' addresses."""
        return tuple(f"127.0.0.1:{node.port}" for node in self.brokers.values())

    @property
    def agents_bootstrap(self) -> tuple[str, ...]:
        """Those that agents are told."""
        return tuple(f"127.0.0.1:{node.sasl_port or node.port}" for node in self.brokers.values())

    @property
    def relayed_bootstrap(self) -> tuple[str, ...]:
        """The same for whoever is to come through the relays."""
        return tuple(f"127.0.0.1:{node.relay_port}" for node in self.brokers.values())


def make_plan(state: Path, size: Size, kafka: str, disk: DiskKind, ports: list[int]) -> Plan:
    """A new lab's plan; `ports` must hold `size.ports`."""
    supply = iter(ports)
    nodes = [
        Node(
            FIRST_CONTROLLER + n,
            str(state / f"controller-{FIRST_CONTROLLER + n}"),
            next(supply),
            None,
            _uuid(),
        )
        for n in range(size.controllers)
    ]
    nodes += [
        Node(
            n,
            str(state / f"broker-{n}"),
            next(supply),
            next(supply),
            _uuid(),
            next(supply) if size.exporter else None,
            next(supply) if size.sasl else None,
            next(supply) if size.relayed else None,
            next(supply) if size.relayed else None,
        )
        for n in range(1, size.brokers + 1)
    ]
    return Plan(kafka, _uuid(), disk, tuple(nodes), secrets.token_hex(16) if size.sasl else "")


def read_plan(state: Path) -> Plan | None:
    """The plan of the lab in this folder, None where there is none. LabError when it cannot be read."""
    path = state / PLAN_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise LabError(
            f"{path} cannot be read: {error}", "ottla lab down --state DIR removes the lab"
        ) from error


def write_plan(state: Path, plan: Plan) -> None:
    """Write the plan so that a crash leaves the old one or the new one, never a half."""
    temporary = state / f"{PLAN_FILE}.new"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(plan)) + b"\n")
    temporary.replace(state / PLAN_FILE)


def _uuid() -> str:
    """16 random bytes as Kafka writes them. It takes a leading `-` for an option."""
    while (text := urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        continue
    return text
