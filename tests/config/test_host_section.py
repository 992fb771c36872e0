"""`host:` as it is said, and what follows from the broker's own listeners where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import BadConfig, Config, load
from agent.sources.broker_pid import BrokerAt
from agent.sources.host_sources import HostSettings, host_sources
from agent.sources.keystores import Keystore

CONFIG = """\
bootstrap_servers: ["127.0.0.1:9092"]
jolokia: {url: "http://127.0.0.1:8778/jolokia"}
rules: rules
broker: {server_properties: server.properties}
"""


def read(folder: Path, listeners: str, more: str = "") -> HostSettings:
    """The settings of a broker with these listeners."""
    (folder / "server.properties").write_text(f"node.id=1\nlog.dirs=/d1\nlisteners={listeners}\n")
    (folder / "ottla.yml").write_text(CONFIG + more)
    return load(folder / "ottla.yml", {}).host


@pytest.mark.parametrize(
    ("listeners", "more", "listener", "tls"),
    [
        ("PLAINTEXT://127.0.0.1:9092", "", "127.0.0.1:9092", ()),
        ("PLAINTEXT://:9092", "", "127.0.0.1:9092", ()),
        ("PLAINTEXT://0.0.0.0:9092", "", "127.0.0.1:9092", ()),
        ("PLAINTEXT://[::]:9092", "", "127.0.0.1:9092", ()),
        ("PLAINTEXT://[::1]:9092", "", "[::1]:9092", ()),
        ("CONTROLLER://k1:9093,INTERNAL://k1:9094", "", "k1:9094", ()),
        ("PLAINTEXT://k1:9092,SSL://k1:9093", "security: {protocol: SSL}\n", "k1:9093", ("k1:9093",)),
        ("PLAINTEXT://k1:9092,SSL://k1:9093", "", "k1:9092", ("k1:9093",)),
        ("PLAINTEXT://k1:9092", 'host: {listener: "k2:9095"}\n', "k2:9095", ()),
        ("nonsense,://x", "", None, ()),
        ("", "", None, ()),
    ],
)
def test_the_listener_that_is_asked(
    listeners: str, more: str, listener: str | None, tls: tuple[str, ...], tmp_path: Path
) -> None:
    """The one that the agent's own protocol fits; the process is whoever listens there."""
    host = read(tmp_path, listeners, more)
    assert (host.listener, host.tls_listeners) == (listener, tls)
    assert (host.process and host.process.port) == (int(listener.rpartition(":")[2]) if listener else None)
    assert (host.probe_interval_ms, host.probe_deadline) == (2_000, 2.0)


@pytest.mark.parametrize(
    ("listeners", "more", "hosts"),
    [
        ("PLAINTEXT://127.0.0.2:9092", "", ("127.0.0.2",)),
        ("PLAINTEXT://[::1]:9092,SSL://k1:9093", "host: {process: {port: 9093}}\n", ("k1",)),
        ("PLAINTEXT://k1:9092", "host: {process: {port: 9093}}\n", ()),
        ("PLAINTEXT://k1:9092", 'host: {listener: "balancer:9093"}\n', ()),
        ("PLAINTEXT://127.0.0.2:9092", 'host: {listener: "127.0.0.3:9092"}\n', ("127.0.0.2", "127.0.0.3")),
        ("PLAINTEXT://k1:9093", 'host: {listener: "k2:9092", process: {port: 9093}}\n', ("k1",)),
        ("", 'host: {listener: "k2:9092"}\n', ()),
        ("PLAINTEXT://0.0.0.0:9092", "", ()),
        ("A://127.0.0.1:9092,B://[::1]:9092", "", ("127.0.0.1", "[::1]")),
    ],
)
def test_the_process_has_the_port_where_the_broker_itself_listens(
    listeners: str, more: str, hosts: tuple[str, ...], tmp_path: Path
) -> None:
    """Another broker may have the same port at another address of the host."""
    process = read(tmp_path, listeners, more).process
    assert process is not None
    assert process.hosts == hosts


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Relative paths start at the file's folder."""
    more = "host: {process: {pid_file: /run/kafka.pid}, interfaces: [eth0, eth1], probe_interval: 500ms,"
    more += " probe_deadline: 1s500ms, listener_deadline: 3s,"
    more += ' certificates: {listeners: ["k1:9093"], files: [broker.pem],'
    more += " keystores: [{file: a.p12, password_file: secret}, {file: b.jks}]}}\n"
    (tmp_path / "secret").write_text("of a.p12\n")
    assert read(tmp_path, "", more) == HostSettings(
        probe_interval_ms=500,
        probe_deadline=1.5,
        listener_deadline=3.0,
        process=BrokerAt(pid_file="/run/kafka.pid"),
        interfaces=("eth0", "eth1"),
        tls_listeners=("k1:9093",),
        certificate_files=(
            str(tmp_path / "broker.pem"),
            Keystore(str(tmp_path / "a.p12"), str(tmp_path / "secret")),
            Keystore(str(tmp_path / "b.jks")),
        ),
    )


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("process: {unit: a.service, port: 9}", "unit, pid_file and port are three ways to the same process"),
        ("process: {unit: '--help me'}", "'--help me' is no unit"),
        ("process: {port: 70000}", "70000 is no port"),
        ("interfaces: [../x]", "'../x' is no network interface"),
        ("probe_deadline: 1m", "must lie between 100ms and 9s"),
        ("probe_interval: 1ms", "must lie between 100ms and 1h"),
        ("certificates: {listeners: [x]}", "'x' is no address"),
        ("certificates: {paths: [x]}", "unknown key 'paths'"),
        ("certificates: {keystores: [{file: x, password_file: gone}]}", "cannot be read"),
        ("certificates: {keystores: [{password_file: ottla.yml}]}", "file"),
        ("lisener: x", "unknown key 'lisener'"),
    ],
)
def test_mistakes_are_told_where_they_are(more: str, complaint: str, tmp_path: Path) -> None:
    """As everywhere in the file."""
    with pytest.raises(BadConfig) as bad:
        read(tmp_path, "", f"host: {{{more}}}\n")
    (told,) = bad.value.complaints
    assert complaint in told.message
    assert told.place.line == 5


def test_only_what_can_be_looked_at_is_a_source(tmp_path: Path) -> None:
    """Without a listener nothing is probed; the write probe is never slower than the other sources."""
    config = load_with(tmp_path, "PLAINTEXT://k1:9092,SSL://k1:9093")
    every = host_sources(config.host, config.broker.log_dirs, config.security, 15_000)
    assert [(s.name, s.interval_ms) for s in every] == [
        ("disk_probe", 2_000),
        ("kernel", 15_000),
        ("protocol_probe", 15_000),
        ("certificates", 60_000),
    ]
    few = host_sources(HostSettings(), (), config.security, 1_000)
    assert [(s.name, s.interval_ms) for s in few] == [("disk_probe", 1_000), ("kernel", 1_000)]


def load_with(folder: Path, listeners: str) -> Config:
    """The whole configuration."""
    read(folder, listeners)
    return load(folder / "ottla.yml", {})
