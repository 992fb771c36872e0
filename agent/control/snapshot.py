"""The state as canonical JSON: what marks hash, and where a joiner may start (coordination.md section 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from agent.control.canonical import canonical
from agent.control.digests import sha256
from agent.control.records import MAX_SNAPSHOT, BadRecord, Record, opened
from agent.control.state import Mark, State

ROOM = 2_048  # what the envelope takes of a snapshot's bytes
_ENVELOPE = 512  # of a record's first bytes, in which its type stands
_STATE = b'"state":'
_LONG = b"," + b"0" * 19  # a number that may be out of range, once it is translated by:
_SHAPES = bytes.maketrans(b"0123456789:[-", b"0000000000,,,")


class BadSnapshot(ValueError):
    """It is not the state that its hash says; the text says what is wrong."""


class AsMarked(dict[str, Any]):
    """In place of a snapshot's `state` whose bytes are those of the mark, and were not decoded."""


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


def is_snapshot(raw: bytes) -> bool:
    """Whether these bytes, if they are a record, are a snapshot."""
    return b',"t":"snapshot",' in raw[:_ENVELOPE]


def of_the_mark(state: State, raw: bytes) -> Record | None:
    """What `opened` makes of a snapshot whose `state` is the very text that `state.mark` is the hash of, but
    for this `state`: a megabyte of JSON that `dump` made need not be looked at again. None where it is
    anything else, or not certain: a broker's time may be out of a record's range, half a surrogate pair is
    no Unicode."""
    if not state.mark.hash or len(raw) > MAX_SNAPSHOT or not is_snapshot(raw):
        return None
    head, _, rest = raw.partition(_STATE)
    text, end = rest[:-2], rest[-2:]
    if hashlib.sha256(text).hexdigest() != state.mark.hash:
        return None
    if _LONG in text.translate(_SHAPES) or b"\\ud" in text:
        return None
    try:
        record = opened(head + _STATE + b"{}" + end)
    except BadRecord:
        return None
    return replace(record, x={**record.x, "state": AsMarked()})


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
