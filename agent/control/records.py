"""The control topic's records and their codec, total on any bytes (coordination.md section 2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from agent.control.bodies import ENVELOPE, FOLD, fault
from agent.control.canonical import canonical
from agent.control.shapes import MAX_INTEGER

MAX_BYTES = 64 * 1024
MAX_SNAPSHOT = 960 * 1024
MAX_DEPTH = 8

_PRINTABLE = re.compile(rb"[\x20-\x7e]+")
# Possessive, and one without an end goes to the last byte: else many quotes would cost the square of them.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INTEGER_DIGITS = (
    20  # with the sign; more cannot be in range, and int() of very many is refused by some Pythons
)


class BadRecord(ValueError):
    """The bytes are not a record; the text, the same on every Python, says what is wrong."""


class Record(Struct, frozen=True):
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


def encode(record: Record) -> bytes:
    """The record's bytes; BadRecord where they could not be read back under its fold version."""
    raw = canonical(asdict(record)).encode()
    decode(raw, record.f)
    return raw


def decode(raw: bytes, version: int = FOLD) -> Record:
    """Total on any bytes: a Record as a fold version has them, or BadRecord."""
    record = opened(raw)
    if (why := fault(record.t, record.x, version)) is not None:
        raise BadRecord(why)
    return record


def opened(raw: bytes) -> Record:
    """Total on any bytes: the envelope, which every fold version has, around any object `x`; or BadRecord."""
    value = _parse(raw)
    if not ENVELOPE(value):
        raise BadRecord("not an envelope")
    if len(raw) > MAX_BYTES and value["t"] != "snapshot":
        raise BadRecord("too long")
    return Record(**value)


def _parse(raw: bytes) -> Any:
    """JSON within the bounds of section 2."""
    if len(raw) > MAX_SNAPSHOT:
        raise BadRecord("too long")
    if not _PRINTABLE.fullmatch(raw):
        raise BadRecord("not printable ASCII")
    if _too_deep(raw):
        raise BadRecord("too deep")
    text = raw.decode("ascii")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError:
        raise BadRecord("not JSON") from None
    if canonical(value) != text:
        raise BadRecord("not canonical")
    if b"\\ud" in raw and not _is_unicode(value):
        raise BadRecord("not Unicode")  # half a surrogate pair: no file or page could take it
    return value


def _too_deep(raw: bytes) -> bool:
    """Whether brackets nest too deep; asked before parsing, since Pythons differ in how deep they follow."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for byte in _STRING.sub(b"", raw).translate(None, _NO_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


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


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_no_number, parse_constant=_no_number)
