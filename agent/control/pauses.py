"""What an operator's pause stops: intents and grants of the claims that its selector names, never an undo.

A selector is `*` (everything), `kind:NAME`, `agent:broker-N`, `host:NAME` or `scope:NAME`, the last one with
a `*` at its end for each scope that begins so.
"""

from __future__ import annotations

from agent.control.state import Claim, State

KINDS_OF_SELECTOR = ("kind", "agent", "host", "scope")


def is_selector(text: str) -> bool:
    """Whether `text` names something."""
    kind, colon, name = text.partition(":")
    return text == "*" or (bool(colon) and kind in KINDS_OF_SELECTOR and bool(name))


def selects(selector: str, claim: Claim, host: str) -> bool:
    """Whether the claim, of a session on `host`, is meant."""
    kind, _, name = selector.partition(":")
    if selector == "*":
        return True
    if kind == "scope":
        return any(s == name or (name.endswith("*") and s.startswith(name[:-1])) for s in claim.scopes)
    return name == {"kind": claim.kind, "agent": claim.holder, "host": host}[kind]


def in_force(state: State) -> list[str]:
    """The selectors of the pauses that count now."""
    return [s for s, p in sorted(state.pauses.items()) if p.on and (not p.until or state.clock < p.until)]


def paused(state: State, claim: Claim) -> str | None:
    """The selector of a pause in force that means this claim."""
    if not state.pauses:
        return None
    session = state.sessions.get(claim.session)
    host = session.host if session else claim.host
    return next((s for s in in_force(state) if selects(s, claim, host)), None)
