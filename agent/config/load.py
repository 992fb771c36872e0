"""Reads the configuration file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agent.config.exposition import exposition
from agent.config.host_section import host
from agent.config.sections import broker, control, jolokia, policy, security
from agent.config.settings import (
    INTERVAL_MS,
    LISTEN,
    SOCKET,
    STATE,
    STOP_FILE,
    BrokerSettings,
    Config,
)
from agent.config.values import Files, address, interval
from agent.model import Place
from agent.sources.name_files import target_labels
from agent.yaml_marks import BadFiles, Complaints, Fields, Form, Node, compose
from agent.yaml_marks.compose import MAX_BYTES
from agent.yaml_marks.readers import flag


class BadConfig(BadFiles):
    """The configuration cannot be used; `complaints` says why, sorted by place."""


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the file. Relative paths in it start at its folder. Raises BadConfig with all complaints.

    `OTTLA_SECURITY_PASSWORD_FILE` and `OTTLA_JOLOKIA_PASSWORD_FILE` stand above the file's password_file.
    """
    complaints = Complaints()
    node = _tree(path, complaints)
    files = Files(path.absolute().parent, environ)
    config = read_config(Form(node, "the configuration", complaints), files, complaints) if node else None
    if complaints or config is None:
        raise BadConfig(complaints.sorted())
    return config


def _tree(path: Path, complaints: Complaints) -> Node | None:
    start = Place(str(path), 1, 1)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as e:
        complaints.add(start, f"cannot be read: {e.strerror}")
        return None
    node = compose(str(path), data, complaints)
    if node is None and not complaints:
        complaints.add(
            start, "the file is empty", "it needs bootstrap_servers, rules, broker, and jolokia or exposition"
        )
    return node


def read_config(form: Form, files: Files, complaints: Complaints) -> Config:
    """The whole configuration of one form."""
    servers = form.each("bootstrap_servers", address, required=True)
    own_jolokia = form.form("jolokia", "`jolokia`")
    targets = exposition(form, files)
    if own_jolokia is None and not targets and form.is_mapping:
        form.complain(
            "nothing says where the broker's metrics are",
            "add `jolokia: {url: ...}`, or `exposition:` with the URL of an exporter",
        )
    own_broker = form.form("broker", "`broker`", required=True)
    own = broker(own_broker, files, complaints) if own_broker else BrokerSettings()
    login = security(_section(form, "security", complaints), files)
    config = Config(
        bootstrap_servers=servers,
        jolokia=jolokia(own_jolokia, files) if own_jolokia else None,
        rules=form.get("rules", files.paths, (), required=True),
        broker=own,
        control=control(_section(form, "control", complaints), servers),
        security=login,
        policy=policy(_section(form, "policy", complaints)),
        host=host(_section(form, "host", complaints), files, own.listeners, login.protocol),
        state=form.get("state", files.path, STATE),
        socket=form.get("socket", files.path, SOCKET),
        stop_file=form.get("stop_file", files.path, STOP_FILE),
        listen=_listen(form, complaints),
        interval_ms=form.get("interval", interval, INTERVAL_MS),
        rules_watch=form.get("rules_watch", flag, True),
        names=form.get("names", files.path, None),
        target_labels=form.get("target_labels", target_labels, ()),
        exposition=targets,
    )
    form.close()
    return config


def _section(config: Form, key: str, complaints: Complaints) -> Form:
    """The section, an empty one where it is absent: then all of it is default."""
    empty = Fields(config.place, {}, {})
    return config.form(key, f"`{key}`") or Form(empty, f"`{key}`", complaints)


def _listen(config: Form, complaints: Complaints) -> str:
    form = _section(config, "http", complaints)
    listen = form.get("listen", address, LISTEN)
    form.close()
    return listen
