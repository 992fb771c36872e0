"""Reads `host:`; what it does not say follows from the broker's own listeners."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from agent.config.values import Files, address, interval
from agent.sources.broker_pid import BrokerAt
from agent.sources.host_sources import HostSettings
from agent.sources.keystores import Keystore
from agent.sources.listening_sockets import EVERYWHERE
from agent.yaml_marks import Form, Node, Wrong
from agent.yaml_marks.readers import positive, text

_LISTENER = re.compile(r"([A-Za-z0-9_.-]+)://(\[[0-9A-Fa-f:.%]*\]|[^:\[\]]*):([0-9]{1,5})")
_ENCRYPTED = ("SSL", "SASL_SSL")


def host(form: Form, files: Files, listeners: Sequence[str], protocol: str) -> HostSettings:
    """`host:`. `listeners` are Kafka's, `protocol` is that of the agent's own connections."""
    default = HostSettings()
    known = list(_addresses(listeners))
    own = next((at for name, at in known if name == protocol), known[0][1] if known else None)
    process = form.form("process", "`process`")
    certificates = form.form("certificates", "`certificates`")
    listener = form.get("listener", address, own)
    tls = certificates.each("listeners", address) if certificates else ()
    settings = HostSettings(
        probe_interval_ms=form.get("probe_interval", interval, default.probe_interval_ms),
        probe_deadline=form.get("probe_deadline", _deadline, default.probe_deadline),
        listener=listener,
        listener_deadline=form.get("listener_deadline", _deadline, default.listener_deadline),
        process=_where(_process(process) if process else _on_port(listener), listeners, listener),
        interfaces=form.each("interfaces", _interface),
        tls_listeners=tls or tuple(at for name, at in known if name in _ENCRYPTED),
        certificate_files=tuple(_certificate_files(certificates, files)) if certificates else (),
    )
    if certificates:
        certificates.close()
    form.close()
    return settings


def _addresses(listeners: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name, host and port of each; one on all addresses is reached on loopback."""
    for name, at, port in _parts(listeners):
        if name != "CONTROLLER":
            yield name, f"{'127.0.0.1' if at in EVERYWHERE else at}:{port}"


def _parts(listeners: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Name, host and port of each, as they are written."""
    for listener in listeners:
        match = _LISTENER.fullmatch(listener)
        if match:
            yield match[1], match[2], match[3]


def _certificate_files(form: Form, files: Files) -> Iterator[str | Keystore]:
    """PEM files, then keystores."""
    yield from form.each("files", files.name)
    for each in form.forms("keystores", "a keystore"):
        path = each.get("file", files.name, None, required=True)
        password_file = each.get("password_file", files.secret_name, None)
        each.close()
        if path is not None:
            yield Keystore(path, password_file)


def _process(form: Form) -> BrokerAt | None:
    found = BrokerAt(
        unit=form.get("unit", _unit, None),
        pid_file=form.get("pid_file", text, None),
        port=form.get("port", _port, None),
    )
    if sum(each is not None for each in (found.unit, found.pid_file, found.port)) > 1:
        form.complain("unit, pid_file and port are three ways to the same process", "keep one of them")
    form.close()
    return found if str(found) != "port None" else None


def _on_port(listener: str | None) -> BrokerAt | None:
    return BrokerAt(port=int(listener.rpartition(":")[2])) if listener else None


def _where(process: BrokerAt | None, listeners: Sequence[str], asked: str | None) -> BrokerAt | None:
    """With the hosts where the broker's own listeners have the port, since another broker may have it, too,
    and that of `listener`, as an `--override` on the broker's command line may have moved it there. Where one
    is on all addresses, or none has the port, whoever has the port is it."""
    if process is None or process.port is None:
        return process
    hosts = [host for _, host, port in _parts(listeners) if int(port) == process.port]
    if not hosts or {*hosts} & {*EVERYWHERE}:
        return process
    at, _, number = (asked or "").rpartition(":")
    also = (at,) if number == str(process.port) else ()
    return replace(process, hosts=tuple(dict.fromkeys((*hosts, *also))))


def _deadline(node: Node) -> float:
    """Seconds, of 100ms to 9s: the schedule gives up on a reading after ten."""
    written = interval(node)
    if written > 9_000:
        raise Wrong("must lie between 100ms and 9s")
    return written / 1000


def _interface(node: Node) -> str:
    written = text(node)
    if "/" in written or written in (".", "..") or len(written) > 15:
        raise Wrong(f"{written[:40]!r} is no network interface", "write it like eth0")
    return written


def _unit(node: Node) -> str:
    written = text(node)
    if not re.fullmatch(r"[A-Za-z0-9:_.@\\-]{1,255}", written):
        raise Wrong(f"{written[:100]!r} is no unit", "write it like kafka.service")
    return written


def _port(node: Node) -> int:
    written = positive(node)
    if written > 65_535:
        raise Wrong(f"{written} is no port", "write it like 9092")
    return written
