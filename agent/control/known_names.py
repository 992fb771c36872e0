"""Names in orders that nothing has, so far as an agent knows: a stop for one would stop nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from agent.control.open_claims import LIMIT
from agent.control.state import State
from agent.control.times import BUDGETS


def unknown(state: State, t: str, x: Mapping[str, Any], kinds: Collection[str]) -> str:
    """What nothing has, in words, with what there is; empty where all is known. `kinds`: of this release."""
    if t == "pause" and x["on"] and x["selector"] != "*":
        sort, _, name = x["selector"].partition(":")
        known = _SORTS[sort](state, kinds) if sort in _SORTS else None
        if known is None or name in known or (sort == "scope" and _is_some_scope(state, name, known)):
            return ""
        return _words(sort, name, known)
    if t == "budget" and not _has_budget(state, x["scope"]):
        return _words("budget", x["scope"], state.budgets)
    if t == "params":
        known = _kinds(state, kinds)
        names = (name.removeprefix("cooldown/") for name in x["values"] if name.startswith("cooldown/"))
        return next((_words("kind", name, known) for name in names if name not in known), "")
    return ""


def _kinds(state: State, kinds: Collection[str]) -> set[str]:
    return {*kinds, *(claim.kind for claim in state.claims.values())}


def _agents(state: State, _: Collection[str]) -> set[str]:
    return set(state.incarnations)


def _hosts(state: State, _: Collection[str]) -> set[str]:
    claims, sessions = state.claims.values(), state.sessions.values()
    return {*(claim.host for claim in claims), *(session.host for session in sessions)}


def _scopes(state: State, _: Collection[str]) -> set[str]:
    return {*state.budgets, *(scope for claim in state.claims.values() for scope in claim.scopes)}


_SORTS = {"kind": _kinds, "agent": _agents, "host": _hosts, "scope": _scopes}


def _is_some_scope(state: State, name: str, known: Iterable[str]) -> bool:
    """Of those that are for one at a time any, since a target has any name."""
    beginning = name.removesuffix("*")
    begins = name.endswith("*") and any(scope.startswith(beginning) for scope in known)
    return begins or name.startswith("x:") or _has_budget(state, name)


def _has_budget(state: State, scope: str) -> bool:
    """Or may get one: a target's own of what has one for each, and remedies' limits."""
    each = scope.rpartition("/")[0] + "/*"
    return scope in state.budgets or scope in BUDGETS or each in state.budgets or scope.startswith(LIMIT)


def _words(sort: str, name: str, known: Iterable[str]) -> str:
    there = sorted(known)
    more = f" and {len(there) - 20} more" if len(there) > 20 else ""
    return f"nothing here is called {sort} {name}; there are: {', '.join(there[:20]) or 'none'}{more}"
