"""All settings of an agent, frozen, with their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.control.times import PRODUCTION, Budget, Times
from agent.kafka.connection import Security
from agent.model import Labels, Policy
from agent.sources.broker_pid import BrokerAt
from agent.sources.exposition_http import Target
from agent.sources.host import LogDirPath
from agent.sources.host_sources import HostSettings
from agent.sources.journald import Unit
from agent.sources.tls_files import NO_FILES, TlsFiles

STATE = Path("/var/lib/ottla")
SOCKET = Path("/run/ottla/ottla.sock")
STOP_FILE = Path("/etc/ottla/stop")
LISTEN = "127.0.0.1:9901"
INTERVAL_MS = 15_000
WINDOW_MS = 2 * 3_600_000  # how long samples are kept; `rules check` warns of rules that look further back


AUTO = "auto"  # attach to the process that listens on the broker's port


@dataclass(frozen=True, slots=True)
class JolokiaSettings:
    """Where the broker's Jolokia answers, or how it is attached where none is loaded: `url` or `attach`.

    `attach` is AUTO, a pid, or where to look for the broker. Username and password stand together or not at
    all. `port` is that of an attached agent, 0 a free one. `tls` is for a URL of https.
    """

    url: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    attach: str | int | BrokerAt | None = None
    agent_jar: str = ""
    port: int = 0
    tls: TlsFiles = NO_FILES

    @property
    def auth(self) -> tuple[str, str] | None:
        """For basic authentication."""
        return None if self.username is None or self.password is None else (self.username, self.password)


class BrokerSettings(msgspec.Struct, frozen=True):
    """The broker beside which the agent runs. `logs` are files to follow, `journald` units of systemd whose
    lines are, `kmsg` says whether the kernel's are; `listeners` are Kafka's."""

    node_id: int = -1
    log_dirs: tuple[LogDirPath, ...] = ()
    logs: tuple[str, ...] = ()
    journald: tuple[Unit, ...] = ()
    kmsg: bool = False
    listeners: tuple[str, ...] = ()


class ControlSettings(msgspec.Struct, frozen=True):
    """The control topic. `budgets` are for genesis only: a log that is born already keeps its own."""

    bootstrap_servers: tuple[str, ...]  # the cluster's own, unless the file names others
    topic: str = "ottla-control"
    create: bool = False
    times: Times = PRODUCTION
    budgets: Mapping[str, Budget] = msgspec.field(default_factory=dict)


class Config(msgspec.Struct, frozen=True):
    """What the file says. Paths are absolute; `listen` is host:port, port 0 a free one."""

    bootstrap_servers: tuple[str, ...]
    jolokia: JolokiaSettings | None  # None: the broker's metrics come from an exporter alone
    rules: tuple[Path, ...]
    broker: BrokerSettings
    control: ControlSettings
    security: Security
    policy: Policy
    host: HostSettings = msgspec.field(default_factory=HostSettings)
    state: Path = STATE
    socket: Path = SOCKET
    stop_file: Path = STOP_FILE
    listen: str = LISTEN
    interval_ms: int = INTERVAL_MS
    rules_watch: bool = True  # whether changed rule files are read by themselves
    names: Path | None = None  # a file of metric names on top of the shipped ones
    target_labels: Labels = ()  # added to every series
    exposition: tuple[Target, ...] = ()
