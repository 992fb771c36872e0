"""Everything about this host that rules can ask for: its sources, and what they are set to."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from agent.kafka.connection import Security
from agent.sources import (
    broker_process,
    certificates,
    clock_offset,
    disk_probe,
    disk_stats,
    host,
    kernel,
    memory_pressure,
    network_counters,
    protocol_probe,
)
from agent.sources.broker_pid import BrokerAt
from agent.sources.broker_process import BrokerProcess
from agent.sources.certificates import Certificates
from agent.sources.clock_offset import ClockOffset
from agent.sources.disk_probe import DiskProbe
from agent.sources.disk_stats import DiskStats
from agent.sources.host import LogDirPath
from agent.sources.kernel import Kernel, Part
from agent.sources.keystores import Keystore
from agent.sources.memory_pressure import MemoryPressure
from agent.sources.network_counters import NetworkCounters
from agent.sources.protocol_probe import ProtocolProbe

_CERTIFICATES_EVERY_MS = 60_000  # at least; a certificate ends in days, and each look is a connection

# By title and source, as docs/metrics.md shows them.
TABLES = (
    ("Log dirs, by `path`", "host", host.METRICS),
    ("Write probes of log dirs, by `path`", "disk_probe", disk_probe.METRICS),
    ("The log dirs' devices, by `path` and `device`", "kernel", disk_stats.METRICS),
    ("The broker's process", "kernel", broker_process.METRICS),
    ("Network", "kernel", network_counters.METRICS),
    ("Memory and pressure", "kernel", memory_pressure.METRICS),
    ("Clock", "kernel", clock_offset.METRICS),
    ("What could not be read of the host", "kernel", kernel.METRICS),
    ("The broker's protocol", "protocol_probe", protocol_probe.METRICS),
    ("Certificates", "certificates", certificates.METRICS),
)
METRICS = tuple(metric for _, _, metrics in TABLES for metric in metrics)


class HostSettings(Struct, frozen=True):
    """What the configuration says of the host. `listener` (host:port) is this broker's own, for the probe;
    None where there is none to ask. Interval in ms, deadlines in seconds."""

    probe_interval_ms: int = 2_000
    probe_deadline: float = 2.0
    listener: str | None = None
    listener_deadline: float = 5.0
    process: BrokerAt | None = None
    interfaces: tuple[str, ...] = ()
    tls_listeners: tuple[str, ...] = ()
    certificate_files: tuple[str | Keystore, ...] = ()


HostSource = DiskProbe | Kernel | ProtocolProbe | Certificates


def host_sources(
    settings: HostSettings, log_dirs: Sequence[LogDirPath], security: Security, interval_ms: int
) -> tuple[HostSource, ...]:
    """Those that have something to look at. Each reads just the names in its `wanted`: at first nothing."""
    probe = min(interval_ms, settings.probe_interval_ms)
    sources: list[HostSource] = [
        DiskProbe(log_dirs, probe, settings.probe_deadline),
        Kernel(_parts(settings, log_dirs), interval_ms),
    ]
    if settings.listener:
        sources.append(ProtocolProbe(settings.listener, security, interval_ms, settings.listener_deadline))
    if settings.tls_listeners or settings.certificate_files:
        every = max(interval_ms, _CERTIFICATES_EVERY_MS)
        sources.append(Certificates(settings.tls_listeners, settings.certificate_files, security, every))
    return tuple(sources)


def _parts(settings: HostSettings, log_dirs: Sequence[LogDirPath]) -> list[Part]:
    parts: list[Part] = [
        DiskStats([folder.path for folder in log_dirs]),
        NetworkCounters(settings.interfaces),
        MemoryPressure(),
        ClockOffset(),
    ]
    if settings.process:
        parts.append(BrokerProcess(settings.process))
    return parts
