"""Rows of section 2's table: claim, intent, release, adopt, found."""

from __future__ import annotations

from msgspec.structs import replace

from agent.control.bodies import MAX_EFFECT
from agent.control.budgets import budget_of, over_cap, over_rate
from agent.control.canonical import canonical
from agent.control.claims import (
    DIRTY,
    GRANTED,
    ORPHAN,
    QUEUED,
    STAMPS,
    TRANSITIONS,
    changes_of,
    handled,
    keys_of,
    move,
    open_claim,
)
from agent.control.lapsing import closed_claims
from agent.control.memory import cooldown, is_full, is_handled
from agent.control.open_claims import counted
from agent.control.pauses import paused
from agent.control.records import Record
from agent.control.state import Claim, Limit, State

CLAIMS_A_SESSION = 6
QUEUE = 256


def _wanted(state: State, r: Record) -> Claim:
    """The claim that a `claim` or `found` record would become."""
    x, limit = r.x, r.x.get("limit")
    return Claim(
        id=state.offset,
        epoch=state.epoch,
        stamp=state.offset % STAMPS,
        agent=r.a,
        holder=r.a if r.t == "claim" else "",
        session=r.s,
        kind=x["kind"],
        scopes=tuple(x["scopes"]),
        problem=x["problem"],
        host=x["host"],
        priority=x.get("priority", 0),
        why=x.get("why", "found in the cluster, and no open claim explains it"),
        limit=Limit(**limit) if limit else None,
        queued=state.clock,
        token=state.offset,
        at=state.time,
        effect=canonical(x["effect"]) if "effect" in x else None,
        plan=tuple((p["resource"], p["key"]) for p in x.get("plan", ())),
    )


def scopes_named(_: State, r: Record) -> str | None:
    """Nothing named must not mean everything, nor nothing."""
    scopes = r.x["scopes"]
    if not scopes:
        return "no scope is named"
    return "a scope is named twice" if len(set(scopes)) != len(scopes) else None


def scopes_have_budgets(state: State, r: Record) -> str | None:
    """An unknown scope has cap 0."""
    return next((f"no budget: {s}" for s in r.x["scopes"] if budget_of(state, s).cap == 0), None)


def problem_not_handled(state: State, r: Record) -> str | None:
    """Handled stays handled, done or undone."""
    return f"problem was handled: {r.x['problem']}" if is_handled(state, r.x["problem"]) else None


def stamp_free(state: State, _: Record) -> str | None:
    """A stamp names one claim, as long as its values may stand somewhere."""
    stamp = state.offset % STAMPS
    taken = counted(state.claims).with_stamp(stamp)
    taken = taken or closed_claims(state.closed).has_stamp(stamp, state.clock)
    return "its stamp is taken: claim again" if taken else None


def not_too_many(state: State, r: Record) -> str | None:
    """Six a session, 256 in the queue, and what can be remembered."""
    claims = counted(state.claims)
    if claims.of_session(r.s) >= CLAIMS_A_SESSION:
        return "too many claims of this session"
    if claims.of_state(QUEUED) >= QUEUE:
        return "the queue is full"
    return "the memory is full" if is_full(state) else None


def within_rates(state: State, r: Record) -> str | None:
    """What began in the window, waits and was granted, and this one."""
    over = over_rate(state, _wanted(state, r))
    return f"rate: {over}" if over else None


def claim(state: State, r: Record) -> State:
    """Queued; its id is its offset."""
    return open_claim(state, _wanted(state, r), "claimed")


def held(state: State, r: Record) -> str | None:
    """The record's session and token have the claim, and the table knows the move."""
    found = state.claims.get(r.x["id"])
    if found is None:
        return "no such open claim"
    if found.session != r.s:
        return f"not the holder: {found.holder} is"
    if found.token != r.x["token"]:
        return "not the token"
    event = r.x.get("outcome", r.t)
    return None if (found.state, event) in TRANSITIONS else f"no such move: {event} of a {found.state} claim"


def room_in_force(state: State, r: Record) -> str | None:
    """The caps and rates of this moment, which may be lower than when it was granted."""
    found = state.claims[r.x["id"]]
    if full := over_cap(state, found):
        return f"no room: {full}"
    over = over_rate(state, found) if found.state is GRANTED else None
    return f"rate: {over}" if over else None


def nothing_stops_it(state: State, r: Record) -> str | None:
    """No pause, no barrier, no settling, no handled problem, and its session out of PROBATION."""
    found = state.claims[r.x["id"]]
    if selector := paused(state, found):
        return f"paused: {selector}"
    if state.barrier:
        return "behind a barrier"
    if state.clock < state.settled_at:
        return "the log settles"
    if state.clock - state.sessions[r.s].joined < state.params["probation"]:
        return "its session is in probation"
    lapsed = found.state is GRANTED and is_handled(state, found.problem)
    return f"problem was handled: {found.problem}" if lapsed else None


def effect_fits(_: State, r: Record) -> str | None:
    """At most 48 KiB, so that a snapshot can hold it."""
    return "the effect is too long" if len(canonical(r.x["effect"])) > MAX_EFFECT else None


def drops_no_change(state: State, r: Record) -> str | None:
    """An intent on a dirty claim extends its effect."""
    before = changes_of(state.claims[r.x["id"]].effect)
    return None if all(c in r.x["effect"]["changes"] for c in before) else "it drops a change"


def intent(state: State, r: Record) -> State:
    """Dirty from here on."""
    found = state.claims[r.x["id"]]
    return move(state, found, "intent", effect=canonical(r.x["effect"]), via=r.x["via"])


def release(state: State, r: Record) -> State:
    """Closed; what was dirty is remembered as handled, `undone` like `done`."""
    found = state.claims[r.x["id"]]
    state = move(state, found, r.x["outcome"])
    if found.state is not DIRTY:
        return state
    return handled(state, found.problem, state.clock + cooldown(state, found.kind))


def adoptable(state: State, r: Record) -> str | None:
    """An orphan with this token; one that needs its own host, by a session there."""
    found = state.claims.get(r.x["id"])
    if found is None or found.state is not ORPHAN:
        return "no such orphan"
    if found.token != r.x["token"]:
        return "not the token"
    own = found.host in ("", state.sessions[r.s].host)
    return None if own else f"not its host: {found.host} is"


def adopt(state: State, r: Record) -> State:
    """Dirty again, held by the adopter under a new token."""
    found = state.claims[r.x["id"]]
    changes = {"session": r.s, "holder": r.a, "token": state.offset, "adoptions": found.adoptions + 1}
    return move(state, found, "adopted", **changes)


def explained_by_none(state: State, r: Record) -> str | None:
    """It changes something, and no open claim changes the same."""
    keys = set(keys_of(canonical(r.x["effect"])))
    if not keys:
        return "nothing is changed"
    explains = next((c for c in state.claims.values() if not keys.isdisjoint(keys_of(c.effect))), None)
    return f"an open claim holds it: {explains.id}" if explains else None


def found(state: State, r: Record) -> State:
    """An orphan, even beyond a cap: it is in the world already."""
    return open_claim(state, replace(_wanted(state, r), session=-1), "found")
