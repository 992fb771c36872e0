"""What each type of record holds: a table of checks, each total on any JSON (coordination.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from agent.control.shapes import Check, array, fields, flag, table, text, whole

FOLD = 2  # the newest fold version that this release knows; it carries the one before too
OLDEST = FOLD - 1
WEEK = 7 * 24 * 3_600_000
MAX_EFFECT = 48 * 1024
MAX_NOTE = 4 * 1024
MAX_STATUS = 512
MAX_FIRING = 32
MAX_WORDS = 512
MAX_PLAN = 64
MAX_REDECLARED = 64
MAX_HANDLED = 256

# What a later fold version brings does not exist below it: (type, "") the type, (type, field) one field.
# Whatever else changes which bodies are right, a limit too, has to ask for the version likewise.
SINCE: Mapping[tuple[str, str], int] = MappingProxyType({("claim", "plan"): 2})

_AGENT, _DIGEST, _NAME = text(64, 1, r"broker-\d+"), text(64, 64, r"[0-9a-f]+"), text(200, 1)
_WORDS, _SAID, _ID = text(MAX_WORDS), text(MAX_WORDS, 1), text(64, 1)
_OFFSET, _EXPECT = whole(0), whole(-1)
_CAP, _RATE, _WINDOW = whole(0, 10_000), whole(0, 10_000), whole(0, WEEK)
_SCOPES = array(text(MAX_WORDS, 1), 64)


def _value(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= MAX_EFFECT)


_CHANGE = fields({"resource": _WORDS, "key": _WORDS, "operation": _NAME, "prior": _value, "new": _value})
_EFFECT = fields({"action": _NAME, "owner": _NAME, "changes": array(_CHANGE, 1_024)})
_BUDGET = {"cap": _CAP, "rate": _RATE, "window": _WINDOW}
_ORDERED = {"reason": _SAID, "by": text(200, 1)}  # by a person
_CHANGED = {**_ORDERED, "expect": _EXPECT}  # compare and set: offset of the last record on the same thing
_HELD = {"id": _OFFSET, "token": _OFFSET}
_WANTED = {"kind": _NAME, "scopes": _SCOPES, "problem": _SAID, "host": _WORDS}
_ITEM = fields({**_WANTED, "claim": _OFFSET, "epoch": _EXPECT, "stamp": whole(0, 99_999), "effect": _EFFECT})

ENVELOPE = fields(  # for good: no version can change what tells it from others
    {
        "t": _NAME,
        "f": whole(0),
        "log": _ID,
        "a": _AGENT,
        "s": whole(-1),
        "n": _OFFSET,
        "b": whole(-1),
        "d": _DIGEST,
        "x": lambda v: isinstance(v, dict),
    }
)

BODIES: Mapping[str, Check] = MappingProxyType(
    {
        "genesis": fields(
            {
                "log": _ID,
                "after": text(64),
                "cluster": text(64),
                "fold": whole(1),
                "params": table(_NAME, _OFFSET, 64),
                "budgets": table(_NAME, fields(_BUDGET), 256),
            }
        ),
        "join": fields(
            {
                "host": _WORDS,
                "rack": _WORDS,
                "incarnation": whole(1),
                "nonce": text(32, 32, r"[0-9a-f]+"),
                "fold_max": _OFFSET,
                "version": _NAME,
                "redeclare": array(_ITEM, MAX_REDECLARED),
                "handled": array(fields({"problem": _SAID, "left": _OFFSET}), MAX_HANDLED),
            }
        ),
        "beat": fields({"status": text(MAX_STATUS), "firing": array(_NAME, MAX_FIRING)}),
        "leave": fields({}),
        "note": fields({"entry": text(MAX_NOTE)}),
        "claim": fields(
            {**_WANTED, "priority": whole(0, 9), "why": _WORDS},
            {
                "limit": fields({"name": _NAME, "rate": whole(1, 1_000), "window": _WINDOW}),
                "plan": array(fields({"resource": _WORDS, "key": _WORDS}), MAX_PLAN),
            },
        ),
        "intent": fields({**_HELD, "effect": _EFFECT, "via": whole(-1)}),
        "release": fields({**_HELD, "outcome": text(9, 1, "done|undone|cancelled")}),
        "expire": fields({"session": _OFFSET, "last": _OFFSET, "waited": _OFFSET}),
        "adopt": fields(_HELD),
        "found": fields({**_WANTED, "effect": _EFFECT}),
        "snapshot": fields({"at": _OFFSET, "hash": _DIGEST, "state": lambda v: isinstance(v, dict)}),
        "pause": fields({**_CHANGED, "on": flag, "selector": _NAME, "for": whole(0, WEEK // 1_000)}),
        "budget": fields({**_CHANGED, **_BUDGET, "scope": _NAME}),
        "params": fields({**_CHANGED, "values": table(_NAME, _OFFSET, 64, 1)}),
        "resolve": fields({**_ORDERED, **_HELD}),
        "raise": fields({**_CHANGED, "to": _OFFSET}),
    }
)


def fault(t: str, x: Mapping[str, Any], version: int) -> str | None:
    """Why this is no record's type and body under a fold version, in the same words by every release that has
    its rules: what a later one brings is no better known to a newer release."""
    if t not in BODIES or SINCE.get((t, ""), version) > version:
        return "unknown type"
    known = BODIES[t](x) and all(SINCE.get((t, key), version) <= version for key in x)
    return None if known else f"not a body of type {t}"
