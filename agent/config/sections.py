"""Reads the sections of the configuration; what is absent keeps its default, what is wrong is a complaint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from agent.config.settings import BrokerSettings, ControlSettings, JolokiaSettings
from agent.config.tls import check_tls, tls_files
from agent.config.values import Files, address, attach, port, url, username
from agent.control.times import BUDGETS, LAB, PRODUCTION, Budget
from agent.kafka.connection import Security
from agent.model import Policy
from agent.server_properties import ServerProperties
from agent.sources.host import LogDirPath
from agent.sources.journald import Unit
from agent.yaml_marks import Complaints, Form, Node, Scalar, Wrong
from agent.yaml_marks.readers import choice, duration, flag, integer, positive, rate, ratio, size, text, times

_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")  # systemd.unit(5)
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def jolokia(form: Form, files: Files) -> JolokiaSettings:
    """`jolokia:`."""
    ways = [key for key in ("url", "attach") if form.get(key, _given, False)]
    settings = JolokiaSettings(
        url=form.get("url", url, ""),
        username=form.get("username", username, None),
        password=files.password(form, "OTTLA_JOLOKIA_PASSWORD_FILE"),
        attach=form.get("attach", attach, None),
        agent_jar=form.get("agent_jar", files.name, ""),
        port=form.get("port", port, 0),
        tls=tls_files(form, files),
    )
    if not ways and form.is_mapping:
        form.complain("`jolokia` has no 'url'", "add `url:`, or `attach: auto` with agent_jar")
    if len(ways) > 1:
        form.complain("url and attach are two ways to the same JVM", "keep one of them")
    if ("attach" in ways) is not bool(settings.agent_jar):
        form.complain("attach and agent_jar go together: the jar is what is loaded into the broker")
    if settings.port and "attach" not in ways:
        form.complain("port is that of an attached agent; the URL has its own")
    if (settings.username is None) is not (settings.password is None):
        form.complain("username and password_file go together")
    check_tls(form, settings.tls, settings.url)
    form.close()
    return settings


def _given(_: Node) -> bool:
    return True


def broker(form: Form, files: Files, complaints: Complaints) -> BrokerSettings:
    """`broker:`; what it does not say comes from the broker's own server.properties."""
    said = form.get("server_properties", files.properties, ServerProperties(None, (), ()))
    node_id = form.get("node_id", integer, said.node_id)
    named = form.each("log_dirs", partial(_log_dir, files=files, complaints=complaints))
    log_dirs = named or tuple(LogDirPath(path) for path in said.log_dirs)
    for what, known in (("node id", node_id is not None), ("log dirs", bool(log_dirs))):
        if not known:
            key = what.replace(" ", "_")
            form.complain(f"nothing says the broker's {what}", f"add `server_properties:` or `{key}:`")
    settings = BrokerSettings(
        node_id=-1 if node_id is None else node_id,
        log_dirs=log_dirs,
        logs=form.each("logs", files.name),
        journald=form.each("journald", partial(_unit, complaints=complaints)),
        kmsg=form.get("kmsg", flag, False),
        listeners=said.listeners,
    )
    form.close()
    return settings


def _unit(node: Node, complaints: Complaints) -> Unit:
    if isinstance(node, Scalar):
        return Unit(_unit_name(node))
    form = Form(node, "a unit of systemd", complaints)
    unit = Unit(form.get("unit", _unit_name, "", required=True), form.get("as", text, None))
    form.close()
    return unit


def _unit_name(node: Node) -> str:
    name = text(node)
    if not _UNIT.fullmatch(name):
        raise Wrong(f"{name[:100]!r} is no unit of systemd", "write it like kafka.service")
    return name


def _log_dir(node: Node, files: Files, complaints: Complaints) -> LogDirPath:
    if isinstance(node, Scalar):
        return LogDirPath(files.name(node))
    form = Form(node, "a log dir", complaints)
    log_dir = LogDirPath(
        form.get("path", files.name, "", required=True),
        form.get("capacity", size, None),
        form.get("probe_file", files.name, None),
    )
    form.close()
    return log_dir


def control(form: Form, servers: tuple[str, ...]) -> ControlSettings:
    """`control:`; `servers` are the cluster's own."""
    default = ControlSettings(servers)
    own = form.each("bootstrap_servers", address)
    budgets = form.form("budgets", "`budgets`")
    settings = ControlSettings(
        bootstrap_servers=own or servers,
        topic=form.get("topic", text, default.topic),
        create=form.get("create", flag, default.create),
        times=form.get("times", choice({"production": PRODUCTION, "lab": LAB}), default.times),
        budgets=_budgets(budgets) if budgets else {},
    )
    form.close()
    return settings


def _budgets(form: Form) -> Mapping[str, Budget]:
    """How many at once; the rate of a known budget stays."""
    found = {}
    for name, known in BUDGETS.items():
        cap = form.get(name, positive, None)
        if cap is not None:
            found[name] = replace(known, cap=cap)
    form.close()
    return found


def security(form: Form, files: Files) -> Security:
    """`security:`: the names and their meaning are Kafka's."""
    protocol = form.get("protocol", choice({name: name for name in _PROTOCOLS}), "PLAINTEXT")
    settings = Security(
        protocol=protocol,
        mechanism=form.get("mechanism", choice({name: name for name in _MECHANISMS}), None),
        username=form.get("username", text, None),
        password=files.password(form, "OTTLA_SECURITY_PASSWORD_FILE"),
        ca_file=form.get("ca_file", files.name, None),
        cert_file=form.get("cert_file", files.name, None),
        key_file=form.get("key_file", files.name, None),
    )
    form.close()
    login = (settings.mechanism, settings.username, settings.password)
    if protocol.startswith("SASL") and None in login:
        form.complain(f"{protocol} needs mechanism, username and password_file")
    if not protocol.startswith("SASL") and login != (None, None, None):
        form.complain(f"{protocol} has no login", f"write `protocol: SASL_{protocol}`")
    if (settings.cert_file is None) is not (settings.key_file is None):
        form.complain("cert_file and key_file go together")
    if "SSL" not in protocol and (settings.ca_file or settings.cert_file):
        form.complain(f"{protocol} is not encrypted, so certificates have no use")
    return settings


# Compiled in: a host's policy may tighten what is allowed, and nobody may lift it beyond reason.
_BOUNDS = (
    ("breaker", 1, 10),
    ("startup_grace_ms", 1_000, 3_600_000),
    ("drain_headroom", 0.05, 0.9),
    ("max_move_rate", 100_000, 1 << 30),
    ("min_throttle_rate", 100_000, 1 << 30),
)


def policy(form: Form) -> Policy:
    """`policy:`: what this host allows, whatever the rules say."""
    default = Policy()
    settings = Policy(
        per_host=form.get("per_host", times, default.per_host),
        breaker=form.get("breaker", positive, default.breaker),
        startup_grace_ms=form.get("startup_grace", duration, default.startup_grace_ms),
        drain_headroom=form.get("drain_headroom", ratio, default.drain_headroom),
        max_move_rate=form.get("max_move_rate", rate, default.max_move_rate),
        min_throttle_rate=form.get("min_throttle_rate", rate, default.min_throttle_rate),
    )
    for name, least, most in _BOUNDS:
        if not least <= getattr(settings, name) <= most:
            key = name.removesuffix("_ms")
            form.complain(
                f"{key} is beyond what is compiled in", f"{least:g} to {most:g} (bytes, ms or ratio)"
            )
    form.close()
    return settings
