"""How a command finds its agent, and what it reads instead when nobody answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from agent.commands.streams import remark
from agent.journal import JournalFailed, read
from agent.model import Entry
from agent.web.client import Agent, Rejected, Stranger, Unanswered, Unreachable
from agent.yaml_marks import Complaints, Fields, Scalar, compose

CONFIG = Path("/etc/ottla/ottla.yml")
SOCKET = Path("/run/ottla/ottla.sock")
STATE = Path("/var/lib/ottla")
UNREACHABLE = 3
UNANSWERED = 4


class NobodyAnswers(click.ClickException):
    """Neither an agent nor a journal: exit code 3."""

    exit_code = UNREACHABLE


class NobodyTells(click.ClickException):
    """An order was sent, and whether it was carried out is not known: exit code 4."""

    exit_code = UNANSWERED


class Reach(Struct, frozen=True):
    """Where to ask (a socket, a URL, or None: nobody), and the state folder to read instead."""

    address: Path | str | None
    state: Path | None


def find(
    socket: Path | None = None, url: str | None = None, config: Path | None = None, state: Path | None = None
) -> Reach:
    """Where the options lead. What was not said comes from the configuration file, then from the defaults.

    A journal is read in place of an agent only where the two surely belong together.
    """
    if url is not None:
        return Reach(url, state)
    if config is None:
        socket = socket or (Path(os.environ["OTTLA_SOCKET"]) if os.environ.get("OTTLA_SOCKET") else None)
        if socket or state:
            return Reach(socket, state)
    said = settings(config)
    return Reach(socket or said.get("socket", SOCKET), state or said.get("state", STATE))


def settings(file: Path | None) -> dict[str, Path]:
    """`socket` and `state` of a configuration file, whatever mistakes are elsewhere in it.

    Relative ones start at its folder, as they do for the agent.
    """
    path = file or CONFIG
    try:
        data = path.read_bytes()
    except OSError as error:
        if file is None:
            return {}
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from error
    complaints = Complaints()
    root = compose(str(path), data, complaints)
    if not isinstance(root, Fields):
        raise click.ClickException("\n".join(map(str, complaints.sorted())) or f"{path} has no settings")
    found = {name: root.fields.get(name) for name in ("socket", "state")}
    return {
        name: path.absolute().parent / node.text for name, node in found.items() if isinstance(node, Scalar)
    }


def ask(reach: Reach, name: str, offline: Callable[[tuple[Entry, ...], int], Any], **query: Any) -> Any:
    """The agent's answer; where nobody answers the journal's, and it is said so on stderr.

    What a stranger answers leads to no journal: the agent may live, and the address be wrong.
    Raises NobodyAnswers, or click's exception with the agent's refusal.
    """
    why = "no agent was asked"
    if reach.address is not None:
        try:
            return _agent(reach.address).get(name, **query)
        except Rejected as error:
            raise click.ClickException(str(error)) from error
        except Stranger as error:
            raise NobodyAnswers(str(error)) from error
        except Unreachable as error:
            why = str(error)
    if reach.state is None:
        raise NobodyAnswers(f"{why}; --state DIR or --config FILE reads its journal instead")
    entries = journal(reach.state, why)
    as_of = datetime.fromtimestamp(entries[-1].at / 1000, UTC).astimezone() if entries else None
    when = f"as of {as_of:%Y-%m-%d %H:%M:%S %Z}" if as_of else "and it is empty"
    remark(f"{why}; this is the journal in {reach.state}, {when}")
    return offline(entries, round(time.time() * 1000))


def get(reach: Reach, name: str) -> Any:
    """What only an agent can answer. Raises NobodyAnswers, or click's exception with the refusal."""
    if reach.address is None:
        raise NobodyAnswers("no agent was asked: name its socket, or its configuration file")
    try:
        return _agent(reach.address).get(name)
    except Rejected as error:
        raise click.ClickException(str(error)) from error
    except Stranger as error:
        raise NobodyAnswers(str(error)) from error
    except Unreachable as error:
        raise NobodyAnswers(f"{error}; `ottla control status` reads the control topic itself") from error


def journal(state: Path, why: str) -> tuple[Entry, ...]:
    """The entries in a state folder; raises NobodyAnswers with both reasons."""
    try:
        return read(state)
    except (JournalFailed, OSError) as error:
        raise NobodyAnswers(f"{why}; and {error}") from error


def order(reach: Reach, name: str, **words: Any) -> Any:
    """Carry out a POST; a refusal is exit code 1, silence 3, and 4 once the order was sent."""
    assert reach.address is not None, "an order has an agent to go to"
    try:
        return _agent(reach.address).post(name, **words)
    except Rejected as error:
        raise click.ClickException(str(error)) from error
    except Unanswered as error:
        sent = f"the order was sent, and no answer came ({error.why})"
        raise NobodyTells(f"{sent}: it may have been carried out; see `ottla status`") from error
    except Unreachable as error:
        raise NobodyAnswers(str(error)) from error


def _agent(address: Path | str) -> Agent:
    try:
        return Agent(address)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
