"""What a person orders as the bodies of records, and why one was void in words (coordination.md section 2).

Each names what it means to replace: the last change of the same thing that the person, or their agent, saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from agent.control.budgets import budget_of
from agent.control.claims import REDECLARED
from agent.control.past import Past
from agent.control.state import State
from agent.control.words import claim_name

Body = dict[str, Any]


class Senseless(ValueError):
    """The order means nothing in this state; the text says why."""


def body(state: State, t: str, x: Mapping[str, Any], expect: int | None = None) -> Body:
    """The record's body but for `reason` and `by`. What `x` leaves out (None) is as it is in force, and what
    `expect` leaves out as the state has it. Raises Senseless."""
    if not state.log:
        raise Senseless("no log is born: ottla control init")
    made, thing = _MAKERS[t](state, x)
    if t == "resolve":
        return made if expect is None else {**made, "token": expect}
    return {**made, "expect": state.changes.get(thing, -1) if expect is None else expect}


def _pause(state: State, x: Mapping[str, Any]) -> tuple[Body, str]:
    selector = x["selector"]
    if not x["on"] and not (selector in state.pauses and state.pauses[selector].on):
        on = sorted(name for name, pause in state.pauses.items() if pause.on)
        raise Senseless(f"{selector} is not paused; paused are: {', '.join(on) or 'none'}")
    return {"on": x["on"], "selector": selector, "for": x["for"]}, f"pause/{selector}"


def _budget(state: State, x: Mapping[str, Any]) -> tuple[Body, str]:
    scope, now = x["scope"], budget_of(state, x["scope"])
    if scope not in state.budgets and x["cap"] is None:
        raise Senseless(f"{scope} has no budget of its own: say its --cap")
    values = {"cap": now.cap, "rate": now.rate, "window": now.window}
    changed = {name: x[name] for name in values if x[name] is not None}
    return {"scope": scope, **values, **changed}, f"budget/{scope}"


def _params(state: State, x: Mapping[str, Any]) -> tuple[Body, str]:
    values = x["values"]
    if not values:
        raise Senseless(f"name what to change: {', '.join(sorted(state.params))}")
    return {"values": dict(values)}, "params"


def _resolve(state: State, x: Mapping[str, Any]) -> tuple[Body, str]:
    claim = state.claims.get(claim_id(x["claim"]))
    if claim is None:
        open_ = [claim_name(c) for c in sorted(state.claims)]
        raise Senseless(f"there is no open claim {x['claim']}; open are: {', '.join(open_) or 'none'}")
    return {"id": claim.id, "token": claim.token}, ""


def _raise(state: State, x: Mapping[str, Any]) -> tuple[Body, str]:
    to = state.version + 1 if x["to"] is None else x["to"]
    return {"to": to}, "raise"


_MAKERS = MappingProxyType(
    {"pause": _pause, "budget": _budget, "params": _params, "resolve": _resolve, "raise": _raise}
)


def current_name(state: State, past: Past, name: str) -> str:
    """The name of the one open claim that is known to have been called `name` before joins brought it back;
    else `name`. That it has the stamp of such a claim is no proof: nobody may close another one by it."""
    number = claim_id(name)
    if number in state.claims:
        return name
    stampless = (replace(claim, stamp=-1) for claim in state.claims.values())
    found = [claim for claim in stampless if past.called({claim.id: claim}, number)]
    return claim_name(found[0].id) if len(found) == 1 else name


def claim_id(name: str) -> int:
    """A claim's id from its name, as `claim_name` writes it; -1 where it is none."""
    offset, _, number = name.partition(".")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 16):
        return -1
    if not number:
        return int(offset)
    return int(number) * REDECLARED + int(offset) if number.isascii() and number.isdigit() else -1


# By what a reason says before its colon; {} is what stands behind it.
_VOID = MappingProxyType(
    {
        "changed meanwhile": "somebody changed it meanwhile, {}: look again (ottla fleet), then order anew",
        "no such selector": "{} is no selector: write *, kind:NAME, agent:broker-N, host:NAME or scope:NAME",
        "too many pauses": "there are too many pauses: resume some first",
        "exclusive scopes are for one": "x: scopes are for one at a time, and have no budget",
        "a rate needs a window": "a rate needs a window: write it like 3/24h",
        "too many budgets": "there are too many budgets",
        "no such parameter": "{} is no parameter: ottla fleet -o json shows them under params",
        "out of bounds": "out of bounds: {} ms",
        "neither an orphan nor stuck": "its holder lives and closes it itself: a person resolves only what is"
        " an orphan or stuck",
        "not the token": "it changed hands meanwhile: look again (ottla fleet), then order anew",
        "not the next fold version": "the fold's version rises one at a time: {}",
        "cannot follow": "these agents do not know the new rules, so update them first: {}",
        "stale, or from a history that was lost": "the log's tail was lost meanwhile: look again, order anew",
        "its session is not live": "this agent's session ended meanwhile: order anew",
    }
)


def refusal(void: str) -> str:
    """Why an order had no effect, for the person who gave it."""
    reason, _, rest = void.partition(": ")
    return _VOID[reason].format(rest) if reason in _VOID else void
