"""Reads `exposition`: the exporters that are scraped, and that no two of them can give the same series."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.config.tls import check_tls, tls_files
from agent.config.values import Files, interval, url, username
from agent.sources.exposition_http import MAX_BODY, MAX_SAMPLES, Target
from agent.sources.name_files import target_labels
from agent.yaml_marks import Form, Node, Wrong
from agent.yaml_marks.readers import flag, positive, size, text

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,62}")
_TAKEN = frozenset({"jmx", "host", "logs", "cluster", "agent", "journal", "kmsg"})
_LARGEST, _MOST, _TARGETS = 256 << 20, 1_000_000, 20


def exposition(form: Form, files: Files) -> tuple[Target, ...]:
    """`exposition:`."""
    read = [(each, _target(each, files)) for each in form.forms("exposition", "a target")]
    targets = tuple(target for _, target in read)
    for number, (each, target) in enumerate(read):
        for other in targets[:number]:
            _check_apart(each, target, other)
    if len(targets) > _TARGETS:
        form.complain(f"{len(targets)} targets; at most {_TARGETS}", key="exposition")
    return targets


def _target(form: Form, files: Files) -> Target:
    default = Target("")
    target = Target(
        url=form.get("url", url, "", required=True),
        name=form.get("name", _name, default.name),
        interval_ms=form.get("interval", interval, None),
        username=form.get("username", username, None),
        password_file=form.get("password_file", files.secret_name, None),
        bearer_token_file=form.get("bearer_token_file", files.secret_name, None),
        tls=tls_files(form, files),
        filter_names=form.get("filter_names", flag, default.filter_names),
        max_body=form.get("max_body", size, MAX_BODY),
        max_samples=form.get("max_samples", positive, MAX_SAMPLES),
        labels=form.get("labels", target_labels, ()),
        honor_labels=form.get("honor_labels", flag, default.honor_labels),
    )
    form.close()
    _check_login(form, target)
    check_tls(form, target.tls, target.url)
    if not 1 << 10 <= target.max_body <= _LARGEST or target.max_samples > _MOST:
        form.complain("max_body lies between 1KiB and 256MiB, and max_samples is at most 1000000")
    return target


def _check_login(form: Form, target: Target) -> None:
    if (target.username is None) is not (target.password_file is None):
        form.complain("username and password_file go together")
    if target.username is not None and target.bearer_token_file is not None:
        form.complain("a target has one login: username with password_file, or bearer_token_file")


def _check_apart(form: Form, target: Target, other: Target) -> None:
    """Two sources of one series would take turns in it, and no rule could tell."""
    if target.name == other.name:
        form.complain(f"two targets are called {target.name!r}", "give each a `name:` of its own", "name")
    elif not _differ(target, other):
        message = f"the targets {other.name!r} and {target.name!r} could give the same series"
        form.complain(
            message,
            "give both a label with different values, like `labels: {job: kafka}`, and no honor_labels",
        )


def _differ(target: Target, other: Target) -> bool:
    """Whether a label keeps all their series apart, whatever they expose."""
    own, others = dict(target.labels), dict(other.labels)
    apart: Sequence[str] = [name for name in own.keys() & others.keys() if own[name] != others[name]]
    return bool(apart) and not (target.honor_labels or other.honor_labels)


def _name(node: Node) -> str:
    name = text(node)
    if not _NAME.fullmatch(name):
        raise Wrong(f"{name[:80]!r} is no name for a source", "letters, digits, _ and - only")
    if name in _TAKEN:
        raise Wrong(f"a source of the agent's own is called {name!r}")
    return name
