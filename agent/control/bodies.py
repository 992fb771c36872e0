"""What each type of record holds: a table of checks, each total on any JSON (coordination.md section 2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

FOLD = 1  # the fold's version, `f`
MAX_EFFECT = 48 * 1024
MAX_NOTE = 4 * 1024
MAX_STATUS = 512
MAX_FIRING = 32
MAX_INTEGER = 2**63 - 1

Check = Callable[[Any], bool]


def _text(most: int, least: int = 0, pattern: str = r"(?s:.*)") -> Check:
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda v: isinstance(v, str) and least <= len(v) <= most and match(v) is not None


def _whole(least: int, most: int = MAX_INTEGER) -> Check:
    return lambda v: type(v) is int and least <= v <= most


def _list(item: Check, most: int) -> Check:
    return lambda v: isinstance(v, list) and len(v) <= most and all(map(item, v))


def _map(key: Check, item: Check, most: int) -> Check:
    return lambda v: isinstance(v, dict) and len(v) <= most and all(key(k) and item(i) for k, i in v.items())


def _fields(required: Mapping[str, Check], optional: Mapping[str, Check] = MappingProxyType({})) -> Check:
    every = {**required, **optional}
    return lambda v: (
        isinstance(v, dict) and required.keys() <= v.keys() <= every.keys() and all(every[k](v[k]) for k in v)
    )


_AGENT, _DIGEST, _NAME = _text(64, 1, r"broker-\d+"), _text(64, 64, r"[0-9a-f]+"), _text(200, 1)
_WORDS, _LONG, _NONE = _text(512), _text(MAX_EFFECT), _list(lambda _: False, 0)
_OFFSET, _WINDOW = _whole(0), _whole(0, 7 * 24 * 3_600_000)


def _value(value: object) -> bool:
    return value is None or _LONG(value)


_BUDGET = _fields({"cap": _whole(0, 10_000), "rate": _whole(0, 10_000), "window": _WINDOW})
_CHANGE = _fields({"resource": _WORDS, "key": _WORDS, "operation": _NAME, "prior": _value, "new": _value})
_EFFECT = _fields({"action": _NAME, "owner": _NAME, "changes": _list(_CHANGE, 1_024)})
ENVELOPE = _fields(
    {
        "t": _NAME,
        "f": _whole(0),
        "log": _text(64, 1),
        "a": _AGENT,
        "s": _whole(-1),
        "n": _OFFSET,
        "b": _whole(-1),
        "d": _DIGEST,
        "x": lambda v: isinstance(v, dict),
    }
)

BODIES: Mapping[str, Check] = MappingProxyType(
    {
        "genesis": _fields(
            {
                "log": _text(64, 1),
                "after": _text(64),
                "cluster": _text(64),
                "fold": _whole(FOLD, FOLD),
                "params": _map(_NAME, _OFFSET, 64),
                "budgets": _map(_NAME, _BUDGET, 256),
            }
        ),
        "join": _fields(
            {
                "host": _WORDS,
                "rack": _WORDS,
                "incarnation": _whole(1),
                "nonce": _text(32, 32, r"[0-9a-f]+"),
                "fold_max": _OFFSET,
                "version": _NAME,
                "redeclare": _NONE,  # nothing is redeclared in this version of the fold
                "handled": _NONE,
            }
        ),
        "beat": _fields({"status": _text(MAX_STATUS), "firing": _list(_NAME, MAX_FIRING)}),
        "leave": _fields({}),
        "note": _fields({"entry": _text(MAX_NOTE)}),
        "claim": _fields(
            {
                "kind": _NAME,
                "scopes": _list(_text(512, 1), 64),
                "problem": _text(512, 1),
                "host": _WORDS,
                "priority": _whole(0, 9),
                "why": _WORDS,
            },
            {"limit": _fields({"name": _NAME, "rate": _whole(1, 1_000), "window": _WINDOW})},
        ),
        "intent": _fields({"id": _OFFSET, "token": _OFFSET, "effect": _EFFECT, "via": _whole(-1)}),
        "release": _fields(
            {"id": _OFFSET, "token": _OFFSET, "outcome": _text(9, 1, "done|undone|cancelled")}
        ),
    }
)
