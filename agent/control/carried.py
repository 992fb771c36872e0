"""What an agent carries over a lost tail or log, written durably before the state is dropped (coordination.md
section 4, rule 11): its own effects, every remembered problem, and where it was in which log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.control.bodies import MAX_HANDLED, MAX_REDECLARED
from agent.control.budgets import STANDING
from agent.control.canonical import canonical
from agent.control.claims import DIRTY, ORPHAN, in_order
from agent.control.digests import digest_at
from agent.control.former import Followed
from agent.control.lost import Lost, as_lost, identity_of, remembered
from agent.control.memory import cooldown
from agent.control.state import Claim, State

MAX_LOST = 256  # far more than budgets allow at once
ROOM = 56 * 1024  # of a record's 64 KiB, for what a join carries


class Carried(Struct, frozen=True):
    """`redeclare` and `handled` are as a join has them. `owed`: the next join must tell them, since what they
    were taken from is lost."""

    log: str = ""  # the log's id
    offset: int = -1
    digest: str = ""
    redeclare: tuple[Mapping[str, Any], ...] = ()
    handled: tuple[Mapping[str, Any], ...] = ()
    changes: tuple[str, ...] = ()  # operators' changes in force, by name: lost ones are reported
    owed: bool = False
    cluster: str = ""  # whose log it is; empty where its genesis does not say
    others: tuple[Lost, ...] = ()  # what others' claims hold in it
    lost: tuple[Lost, ...] = ()  # … before it was lost, or what no join had room for; until it is known
    followed: Followed | None = None  # the last log whose end was seen


def carried(state: State, agent: str, before: Carried, effects: Mapping[int, str] | None = None) -> Carried:
    """What `agent` would have to tell if this state were lost; what `before` owes still is owed.

    `effects`: the open ones of the own journal by claim id, as intents have them; None: those of the state.
    """
    own = [_item(c, effects) for c in in_order(state) if _is_own(c, agent)]
    known = {(item["claim"], item["epoch"]) for item in own}
    owed = [i for i in before.redeclare if before.owed and (i["claim"], i["epoch"]) not in known]
    problems = {h["problem"]: h["left"] for h in before.handled if before.owed}
    for problem, left in _problems(state).items():
        problems[problem] = max(left, problems.get(problem, 0))
    return Carried(
        log=state.log,
        offset=state.offset,
        digest=state.digest,
        redeclare=tuple(own + owed),
        handled=tuple({"problem": p, "left": left} for p, left in sorted(problems.items())),
        changes=tuple(sorted(f"{name}@{offset}" for name, offset in state.changes.items())),
        owed=before.owed,
        cluster=state.cluster,
        others=tuple(as_lost(c) for c in in_order(state) if _is_anothers(c, agent))[-MAX_LOST:],
        lost=remembered(before.lost, state),
        followed=before.followed if before.followed and before.followed.log != state.log else None,
    )


def owing(carried_: Carried) -> Carried:
    """The log that it was taken from is lost: the next join tells it, and what others held is looked for."""
    held = {one.identity: one for one in (*carried_.lost, *carried_.others)}
    return replace(carried_, owed=True, others=(), lost=tuple(held.values())[-MAX_LOST:])


def told(carried_: Carried, state: State, agent: str) -> Carried:
    """A join that carried it was accepted. Own effects for which its record had no room are as lost as
    others' until the log knows them: another join would take an adoption from each that it brought back."""
    taken, _ = for_join(carried_, agent)
    left = [item for item in carried_.redeclare if carried_.owed and item not in taken]
    lost = (*carried_.lost, *(_untold(item, state, agent) for item in left))
    return replace(carried_, owed=False, lost=lost[-MAX_LOST:])


def _untold(item: Mapping[str, Any], state: State, agent: str) -> Lost:
    known = state.claims.get(item["claim"])
    return Lost(
        item["claim"],
        item["epoch"],
        known.agent if known is not None and known.epoch == item["epoch"] else agent,
        item["kind"],
        tuple(item["scopes"]),
        item["problem"],
        item["host"],
        canonical(item["effect"]),
        item["stamp"],
        agent,
    )


def lost_effect(carried_: Carried, claim: Claim) -> str | None:
    """The effect of an intent that went with a lost tail, its claim did not; None where it was not read."""
    return next((one.effect for one in carried_.lost if one.identity == identity_of(claim)), None)


def _is_anothers(claim: Claim, agent: str) -> bool:
    return claim.state in STANDING and claim.effect is not None and not _is_own(claim, agent)


def _is_own(claim: Claim, agent: str) -> bool:
    return claim.holder == agent and claim.state in (DIRTY, ORPHAN) and claim.effect is not None


def _item(claim: Claim, effects: Mapping[int, str] | None) -> dict[str, Any]:
    effect = (effects or {}).get(claim.id) or claim.effect or ""
    return {
        "claim": claim.id,
        "epoch": claim.epoch,
        "stamp": claim.stamp,
        "kind": claim.kind,
        "scopes": list(claim.scopes),
        "problem": claim.problem,
        "host": claim.host,
        "effect": json.loads(effect),
    }


def _problems(state: State) -> dict[str, int]:
    """Problem → ms left: the remembered ones, and those of all that may stand, whoever holds it."""
    left = {p: until - state.clock for p, until in state.handled.items() if until > state.clock}
    for claim in state.claims.values():
        if claim.state in STANDING:
            left[claim.problem] = max(left.get(claim.problem, 0), cooldown(state, claim.kind))
    return left


def is_lost(carried_: Carried, state: State, there: str | None = None) -> bool:
    """Whether the log, read to its end, is not the one that was carried from: shorter, or another history.
    `there`: the digest that was seen at that offset while it was folded. Where none of so long ago is known,
    an own claim tells that was neither kept nor closed."""
    if not carried_.log or carried_.log != state.log:
        return False
    if carried_.offset > state.offset:
        return True
    digest = there or digest_at(state.digests, state.offset, carried_.offset)
    if digest is None:
        return any(_is_gone(item, state) for item in carried_.redeclare)
    return digest != carried_.digest


def _is_gone(item: Mapping[str, Any], state: State) -> bool:
    """Nothing was lost under the leader that took it. One closed longer ago than claims are remembered
    counts as gone, too: to look at what it set once more does less harm than to forget it."""
    known = state.claims.get(item["claim"]) or state.closed.get(item["claim"])
    return state.epoch != item["epoch"] and (known is None or known.epoch != item["epoch"])


def lost_changes(carried_: Carried, state: State) -> tuple[str, ...]:
    """Operators' changes that are gone with the tail, by name."""
    now = {f"{name}@{offset}" for name, offset in state.changes.items()}
    return tuple(change.rpartition("@")[0] for change in carried_.changes if change not in now)


def for_join(carried_: Carried, agent: str) -> tuple[list[Any], list[Any]]:
    """As much of it as fits into one record: effects first, then memories, of which each agent tells others:
    where there are too many for one join, several know them all."""
    if not carried_.owed:
        return [], []
    room = ROOM
    redeclare, room = _fitting(carried_.redeclare, MAX_REDECLARED, room)
    mixed = sorted(carried_.handled, key=lambda h: sha256(f"{agent} {h['problem']}".encode()).digest())
    handled, _ = _fitting(mixed, MAX_HANDLED, room)
    return redeclare, handled


def _fitting(items: Any, most: int, room: int) -> tuple[list[Any], int]:
    taken: list[Any] = []
    for item in items:
        size = len(canonical(item)) + 1
        if len(taken) < most and size <= room:
            taken.append(item)
            room -= size
    return taken, room


def pack(carried_: Carried) -> bytes:
    """For the durable memory."""
    return msgspec.json.encode(carried_)


def unpack(raw: bytes | None) -> Carried:
    """The inverse; nothing where there is nothing, or nothing that this release can read."""
    try:
        return msgspec.json.decode(raw, type=Carried) if raw else Carried()
    except (msgspec.DecodeError, msgspec.ValidationError):
        return Carried()
