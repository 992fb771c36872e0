"""The state as canonical JSON: what marks hash, and where a joiner may start (coordination.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from agent.control.canonical import canonical
from agent.control.digests import sha256
from agent.control.records import MAX_SNAPSHOT, Record
from agent.control.state import Mark, State

ROOM = 2_048  # what the envelope takes of a snapshot's bytes


class BadSnapshot(ValueError):
    """It is not the state that its hash says; the text says what is wrong."""


def dump(state: State) -> str:
    """Canonical JSON of all but the last record's moves; equal states give equal text."""
    value = msgspec.to_builtins(replace(state, moves=()), str_keys=True, order="deterministic")
    return canonical(value)


def marked(state: State) -> tuple[State, str]:
    """The state with its mark, and the text whose hash that is (with the former mark in place)."""
    text = dump(state)
    return replace(state, mark=Mark(state.offset, sha256(text))), text


def load(x: Mapping[str, Any]) -> State:
    """The state of an accepted snapshot's body; BadSnapshot where it is not what its hash says."""
    if sha256(canonical(x["state"])) != x["hash"]:
        raise BadSnapshot("its hash is another")
    try:
        state: State = msgspec.convert(x["state"], State, str_keys=True)
    except msgspec.ValidationError as error:
        raise BadSnapshot(f"it is no state: {error}") from error
    if state.offset != x["at"]:
        raise BadSnapshot(f"it is of offset {state.offset}, not {x['at']}")
    return replace(state, mark=Mark(x["at"], x["hash"]))


def sealed(record: Record, text: str) -> bytes:
    """The bytes of a snapshot whose body has an empty `state`, with `text` in its place: what is canonical
    JSON already is not made so again, for that takes tens of milliseconds. Both are the last of their
    objects."""
    head, empty = canonical(asdict(record)), "{}}}"
    assert head.endswith(f'"state":{empty}')
    return f"{head.removesuffix(empty)}{text}}}}}".encode()


def fits(text: str) -> bool:
    """Whether the state can still be written as a snapshot."""
    return len(text) + ROOM <= MAX_SNAPSHOT


def is_the_mark(state: State, r: Record) -> str | None:
    """Condition of `snapshot`: it is of the last mark, and the first of it."""
    if (r.x["at"], r.x["hash"]) != (state.mark.offset, state.mark.hash):
        return "not the mark"
    return "a snapshot of it is there" if state.mark.taken else None


def take(state: State, _: Record) -> State:
    """Effect of `snapshot`: a joiner may start here."""
    return replace(state, mark=replace(state.mark, taken=True))
