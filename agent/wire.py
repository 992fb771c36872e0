"""An Entry to and from one line of JSON: the journal, the control topic's notes and the API share it."""

from __future__ import annotations

import msgspec

from agent.model import Effect, Entry

_ENTRY = msgspec.json.Decoder(Entry)
_EFFECT = msgspec.json.Decoder(Effect)


class BadEntry(ValueError):
    """The bytes are not an entry; the text says where they stop being one."""


def encode(entry: Entry) -> bytes:
    """One line, without the newline."""
    return msgspec.json.encode(entry)


def decode(line: bytes) -> Entry:
    """The inverse of `encode`; raises BadEntry on anything else."""
    try:
        return _ENTRY.decode(line)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadEntry(str(error)) from error


def encode_effect(effect: Effect) -> str:
    """An effect as JSON text, as a claim's intent carries it."""
    return msgspec.json.encode(effect).decode()


def decode_effect(text: str) -> Effect:
    """The inverse of `encode_effect`; raises BadEntry."""
    try:
        return _EFFECT.decode(text)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadEntry(str(error)) from error


def plain(value: object) -> object:
    """Records, enums and tuples as plain data, for JSON answers."""
    return msgspec.to_builtins(value)
