"""The world guard: how many brokers show an action's kind of effect in the cluster itself. The log knows what
claims say, and who made one may be away since it was lost (coordination.md section 4, rule 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from msgspec import Struct

from agent.actions import UNLIMITED, Ports
from agent.control.budgets import STANDING, budget_of
from agent.control_topic import Claim, ControlTopic
from agent.kafka.configs import ALL_BROKERS
from agent.kafka.errors import KafkaError
from agent.model import Called, Refusal, Sign

ASK_S = 2.0  # who has not answered by then is not seen


class Elsewhere(Struct, frozen=True):
    """The other brokers that show a kind of effect; `silent`: who did not say, in words."""

    sign: Sign
    shown: frozenset[int] = frozenset()
    silent: str = ""


async def elsewhere(ports: Ports, sign: Sign | None) -> Elsewhere | None:
    """Asked of every other live broker, all at once; None where nothing shows the effect. It may connect to
    each of them, and so is asked before anything is armed."""
    if sign is None:
        return None
    try:
        brokers = await asyncio.wait_for(ports.admin.brokers(), ASK_S)
    except (KafkaError, TimeoutError):
        return Elsewhere(sign, silent="nobody says which brokers there are")
    nodes = sorted(n for n, broker in brokers.items() if n != ports.node_id and not broker.fenced)
    asked = (ALL_BROKERS, *(f"broker/{n}" for n in nodes))
    default, *found = await asyncio.gather(*(_set_at(ports, resource, sign) for resource in asked))
    told = dict(zip(nodes, found, strict=True))
    shown = {n for n, own in told.items() if own is not None and _shows({**(default or {}), **own}, sign)}
    return Elsewhere(sign, frozenset(shown), _silent([n for n in nodes if told[n] is None], default))


def objection(control: ControlTopic | None, name: Called, seen: Elsewhere | None) -> Refusal | None:
    """Why the claim may not begin: with what is seen, and what other claims may bring, a budget's cap is used
    up. A broker that shows what its claim says counts once."""
    claim = control.own_claim(name) if control is not None else None
    if control is None or claim is None or seen is None:
        return None
    for scope in claim.scopes:
        others = [c for c in control.state.claims.values() if c.id != claim.id and scope in c.scopes]
        held = {_broker(c) for c in others if c.state in STANDING} - seen.shown
        cap = budget_of(control.state, scope).cap
        if not scope.startswith("x:") and len(seen.shown) + len(held) >= cap:
            return Refusal("the world guard", _words(seen, held, f"{scope} allows {cap}"))
    return None


async def _set_at(ports: Ports, resource: str, sign: Sign) -> Mapping[str, str] | None:
    """None where nobody answers."""
    try:
        return await asyncio.wait_for(ports.admin.configs(resource, sign.keys), ASK_S)
    except (KafkaError, TimeoutError):
        return None


def _shows(values: Mapping[str, str], sign: Sign) -> bool:
    return any(values.get(key, UNLIMITED) != UNLIMITED for key in sign.keys)


def _silent(nodes: Collection[int], default: Mapping[str, str] | None) -> str:
    parts = [f"{_named(nodes)} {'do' if len(nodes) > 1 else 'does'} not answer"] if nodes else []
    parts += ["nobody says what is set for all brokers"] if default is None else []
    return ", and ".join(parts)


def _broker(claim: Claim) -> int:
    """The one that it changes: who told the log of what a lost one took along is another agent."""
    held = (scope.removeprefix("x:broker/") for scope in claim.scopes if scope.startswith("x:broker/"))
    known = (number for number in held if number.isdecimal())  # a scope may be any words
    return int(next(known, claim.agent.removeprefix("broker-")))


def _words(seen: Elsewhere, held: Collection[int], allowed: str) -> str:
    shown = f"{_named(seen.shown)} {'have' if len(seen.shown) > 1 else 'has'} {seen.sign.what} already"
    parts = [shown] if seen.shown else []
    parts += [f"{_named(held)} may by claims of the log"] if held else []
    return ", ".join([*parts, f"and {allowed}"]) + (f" ({seen.silent})" if seen.silent else "")


def _named(nodes: Collection[int]) -> str:
    first, last = [str(n) for n in sorted(nodes)[:-1]], max(nodes)
    return f"brokers {', '.join(first)} and {last}" if first else f"broker {last}"
