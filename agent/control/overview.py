"""The folded state as plain data for people: agents, claims, budgets, pauses, what was void and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.control.admission import born_elsewhere
from agent.control.bodies import FOLD
from agent.control.budgets import OCCUPYING, WAITING, budget_of, occupied, rated_names
from agent.control.claims import QUEUED, in_order
from agent.control.gossip import Gossip
from agent.control.lapsing import beginnings
from agent.control.pauses import in_force
from agent.control.state import Claim, Session, State
from agent.control.times import Budget
from agent.control.words import blockers, claim_name, pause_words
from agent.model import PAUSED

Plain = dict[
    str, Any
]  # ready for JSON; instants are ms since the epoch, as far as the log's clock tells them


def overview(state: State, gossip: Gossip | None = None) -> Plain:
    """What the fleet looks like at `state.offset`; `gossip` brings what the agents last said."""
    silent = sorted(state.sessions[s].agent for s in state.barrier)
    live = {s.agent for s in state.sessions.values()}
    return {
        "log": state.log,
        "cluster": state.cluster,
        "offset": state.offset,
        "digest": state.digest,
        "epoch": state.epoch,
        "fold": state.version,
        "as_of": state.time,
        "barrier": silent,
        "settles_in_ms": max(0, state.settled_at - state.clock),
        "agents": [_agent(state, s, gossip) for s in sorted(state.sessions.values(), key=_by_node)],
        "gone": sorted(state.incarnations.keys() - live, key=_node),
        "claims": [_claim(state, c) for c in in_order(state)],
        "budgets": list(_budgets(state)),
        "pauses": list(_pauses(state)),
        "params": dict(state.params),
        "coming": {name: {"value": c.value, "at": _wall(state, c.since)} for name, c in state.coming.items()},
        "changes": dict(sorted(state.changes.items())),
        "voids": dict(sorted(state.voids.items())),
    }


def _node(agent: str) -> int:
    return int(agent.removeprefix("broker-"))


def _by_node(session: Session) -> tuple[int, int]:
    return _node(session.agent), session.id


def _wall(state: State, virtual: int) -> int:
    """When the log's clock will show this, if it goes on as clocks do."""
    return state.time + virtual - state.clock


def _agent(state: State, session: Session, gossip: Gossip | None) -> Plain:
    firing, status = gossip.said(session.id) if gossip else ((), "")
    probation = session.joined + state.params.get("probation", 0) - state.clock
    return {
        "agent": session.agent,
        "host": session.host,
        "rack": session.rack,
        "version": session.version,
        "fold_max": session.fold_max,
        "session": session.id,
        "joins": state.incarnations.get(session.agent, 0),
        "age_ms": state.clock - session.joined,
        "heard_at": session.heard,
        "votes": list(session.votes),
        "probation_ms": max(0, probation),
        "firing": list(firing),
        "status": status,
        "paused": _own_pause(status),
    }


def _own_pause(status: str) -> str | None:
    """Why it is paused by itself, as its last beat told."""
    return status.removeprefix(PAUSED).partition(";")[0] if status.startswith(PAUSED) else None


def _claim(state: State, claim: Claim) -> Plain:
    return {
        "claim": claim_name(claim.id),
        "state": str(claim.state),
        "kind": claim.kind,
        "scopes": list(claim.scopes),
        "agent": claim.agent,
        "holder": claim.holder,
        "token": claim.token,
        "at": claim.at,
        "problem": claim.problem,
        "why": claim.why,
        "host": claim.host,
        "adoptions": claim.adoptions,
        "waits_for": list(blockers(state, claim.id)),
    }


def _budgets(state: State) -> Iterator[Plain]:
    """Each budget; each scope below a `prefix/*` that is in use; each remedy's own limit that was used."""
    held, queued = occupied(state.claims.values(), *OCCUPYING), occupied(state.claims.values(), QUEUED)
    limits = {f"limit/{c.limit.name}": c.limit for c in state.claims.values() if c.limit}
    used = rated_names(state) | held.keys() | queued.keys() | limits.keys()
    for name in sorted({*state.budgets, *(n for n in used if not n.startswith("x:"))}):
        budget = budget_of(state, name)
        limit = limits.get(name)
        if limit and (not budget.rate or limit.rate < budget.rate):
            budget = Budget(budget.cap, limit.rate, limit.window)
        told = {"scope": name, "cap": budget.cap, "used": held[name], "queued": queued[name]}
        yield told | _rate(state, name, budget) | {"changed_at": state.changes.get(f"budget/{name}", -1)}


def _rate(state: State, name: str, budget: Budget) -> Plain:
    """How much of a rate is used up; `free_at` where all of it is, None where something is free."""
    since = state.clock - budget.window if budget.rate else -1
    began = beginnings(state.began).of(name, since)
    waiting = sum(_counts(c, name) for c in state.claims.values() if c.state in WAITING)
    full = budget.rate and began and len(began) + waiting >= budget.rate
    return {
        "rate": budget.rate,
        "window_ms": budget.window,
        "began": len(began),
        "free_at": _wall(state, began[0] + budget.window) if full else None,
    }


def _counts(claim: Claim, name: str) -> bool:
    return name in claim.scopes or (claim.limit is not None and name == f"limit/{claim.limit.name}")


def _pauses(state: State) -> Iterator[Plain]:
    """Those in force."""
    for selector in in_force(state):
        pause = state.pauses[selector]
        yield {
            "selector": selector,
            "by": pause.by,
            "reason": pause.reason,
            "until": _wall(state, pause.until) if pause.until else None,
            "changed_at": state.changes.get(f"pause/{selector}", -1),
        }


def rules_unwell(told: Mapping[str, Any]) -> Iterator[str]:
    """Why the rest of an overview may mislead: no log, or one under rules that this release does not have."""
    if not told["log"]:
        yield born_elsewhere("", told["voids"]) or "no log is born: ottla control init"
    if told["fold"] > FOLD:
        known = f"but this release knows {FOLD}: what it shows may be wrong"
        yield f"the log's fold version is {told['fold']}, {known}"


def unwell(told: Mapping[str, Any]) -> list[str]:
    """What of an overview a person should look at, a sentence each."""
    said = list(rules_unwell(told))
    if told["barrier"]:
        said.append(f"the leader changed, and {', '.join(told['barrier'])} has yet to be heard since")
    for claim in told["claims"]:
        name = f"claim {claim['claim']} ({claim['kind']} of {claim['holder'] or claim['agent']})"
        if claim["state"] == "orphan":
            said.append(f"{name} is an orphan: it keeps its room until an agent has closed it")
        if claim["state"] == "stuck":
            said.append(f"{name} is stuck: look at it, then ottla fleet resolve {claim['claim']}")
    paused = [a for a in told["agents"] if a.get("paused") is not None]  # older agents do not tell
    said += [f"{a['agent']} is paused by itself: {a['paused']}" for a in paused]
    return said + [pause_words(p["selector"], p["by"], p["reason"]) for p in told["pauses"]]
