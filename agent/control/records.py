"""The control topic's records and their codec, total on any bytes (coordination.md section 2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agent.control.bodies import BODIES, ENVELOPE, MAX_INTEGER

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8

_PRINTABLE = re.compile(rb"[\x20-\x7e]+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_INTEGER_DIGITS = (
    20  # with the sign; more cannot be in range, and int() of very many is refused by some Pythons
)


class BadRecord(ValueError):
    """The bytes are not a record; the text, the same on every Python, says what is wrong."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the envelope and its body `x`. Genesis and join have no session yet: `s` -1, `n` 0."""

    t: str  # type
    f: int  # fold version
    log: str  # log id
    a: str  # agent, broker-<node id>
    s: int  # session
    n: int  # sequence within the session
    b: int  # last offset the writer had folded
    d: str  # its history digest at `b`
    x: Mapping[str, Any]


def canonical(value: object) -> str:
    """Canonical JSON: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def encode(record: Record) -> bytes:
    """The record's bytes; ValueError where `decode` would not have them back."""
    raw = canonical(asdict(record)).encode()
    decode(raw)
    return raw


def decode(raw: bytes) -> Record:
    """Total on any bytes: a Record, or BadRecord."""
    value = _parse(raw)
    if not ENVELOPE(value):
        raise BadRecord("not an envelope")
    if value["t"] not in BODIES:
        raise BadRecord("unknown type")
    if not BODIES[value["t"]](value["x"]):
        raise BadRecord(f"not a body of type {value['t']}")
    return Record(**value)


def _parse(raw: bytes) -> Any:
    """JSON within the bounds of section 2."""
    if len(raw) > MAX_BYTES:
        raise BadRecord("too long")
    if not _PRINTABLE.fullmatch(raw):
        raise BadRecord("not printable ASCII")
    if _depth(raw) > MAX_DEPTH:
        raise BadRecord("too deep")
    try:
        value = json.loads(raw, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number)
    except json.JSONDecodeError:
        raise BadRecord("not JSON") from None
    if canonical(value).encode() != raw:
        raise BadRecord("not canonical")
    if b"\\ud" in raw and not _is_unicode(value):
        raise BadRecord("not Unicode")  # half a surrogate pair: no file or page could take it
    return value


def _depth(raw: bytes) -> int:
    """How deep brackets nest; asked before parsing, since Pythons differ in how deep they follow."""
    deepest = depth = 0
    for byte in _STRING.sub(b"", raw):
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= _INTEGER_DIGITS else MAX_INTEGER + 1
    if abs(value) > MAX_INTEGER:
        raise BadRecord("integer out of range")
    return value


def _no_number(_: str) -> int:
    raise BadRecord("not an integer")


def _is_unicode(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
