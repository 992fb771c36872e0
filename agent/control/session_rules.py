"""Rows of section 2's table: genesis, join, beat, leave, note, expire."""

from __future__ import annotations

from msgspec.structs import replace

from agent.control.claims import handled
from agent.control.memory import cooldown_most, is_full
from agent.control.records import Record
from agent.control.redeclare import redeclare
from agent.control.sessions import end, silence, witnessed
from agent.control.state import Session, State
from agent.control.times import Budget, params_fault

MINUTE = 60_000
NOTES_A_MINUTE = 12
AGENTS = 2_048
VOTERS = 2
ALONE = 3  # so many times W must one witness have waited that has no second


def unborn(state: State, _: Record) -> str | None:
    """Racing ones are equal, so the first counts."""
    return "the log is born already" if state.log else None


def names_itself(_: State, r: Record) -> str | None:
    """A genesis copied from another topic bears no log."""
    return None if r.x["log"] == r.log else "another log"


def times_fit(_: State, r: Record) -> str | None:
    """All parameters are there, within the compiled bounds."""
    return params_fault(r.x["params"])


def budgets_sound(_: State, r: Record) -> str | None:
    """A rate has a window."""
    lacking = sorted(scope for scope, b in r.x["budgets"].items() if b["rate"] and not b["window"])
    return f"a rate needs a window: {lacking[0]}" if lacking else None


def bear(state: State, r: Record) -> State:
    """The log is born, and settles: what a former log left in the world may be found first."""
    x = r.x
    return replace(
        state,
        log=r.log,
        after=x["after"],
        cluster=x["cluster"],
        version=x["fold"],
        params=x["params"],
        budgets={scope: Budget(**budget) for scope, budget in x["budgets"].items()},
        settled_at=state.clock + x["params"]["settle"],
    )


def newer_incarnation(state: State, r: Record) -> str | None:
    """A late copy of a join is none."""
    last = state.incarnations.get(r.a, 0)
    if r.x["incarnation"] <= last:
        return f"incarnation is not above the last: {r.x['incarnation']}, was {last}"
    return "too many agents" if last == 0 and len(state.incarnations) >= AGENTS else None


def can_fold(state: State, r: Record) -> str | None:
    """An old release that comes back later observes."""
    return "fold too old" if r.x["fold_max"] < state.version else None


def memory_has_room(state: State, r: Record) -> str | None:
    """What it brings of handled problems can be remembered."""
    brought = len(r.x["handled"]) + len(r.x["redeclare"])
    return "the memory is full" if brought and is_full(state, brought) else None


def join(state: State, r: Record) -> State:
    """A new session, its offset the id; takes back what it redeclares, and ends this agent's older ones."""
    state = redeclare(state, r)  # before its claims go with the older sessions
    for session in sorted(_live_of(state, r.a)):
        state = end(state, state.sessions[session])
    joined = _session(state, r)
    state = replace(
        state,
        sessions={**state.sessions, joined.id: joined},
        incarnations={**state.incarnations, r.a: r.x["incarnation"]},
    )
    for item in r.x["handled"]:
        left = min(item["left"], cooldown_most(state))
        state = handled(state, item["problem"], state.clock + left)
    return state


def _live_of(state: State, agent: str) -> list[int]:
    """Its live sessions; none is looked for of an agent that never joined."""
    return [s.id for s in state.sessions.values() if s.agent == agent] if agent in state.incarnations else []


def _session(state: State, r: Record) -> Session:
    x = r.x
    return Session(
        id=state.offset,
        agent=r.a,
        host=x["host"],
        rack=x["rack"],
        version=x["version"],
        fold_max=x["fold_max"],
        nonce=x["nonce"],
        joined=state.clock,
        n=0,
        last=state.offset,
        heard=state.time,
    )


def beat(state: State, _: Record) -> State:
    """Alive; status and firing are kept beside the state, in neither it nor its digest."""
    return state


def leave(state: State, r: Record) -> State:
    """The session ends; what it left dirty is an orphan."""
    return end(state, state.sessions[r.s])


def not_too_many_notes(state: State, r: Record) -> str | None:
    """Twelve in a minute of log time."""
    recent = sum(at > state.clock - MINUTE for at in state.sessions[r.s].notes)
    return "too many notes in a minute" if recent >= NOTES_A_MINUTE else None


def note(state: State, r: Record) -> State:
    """Fleet-wide history; nothing but its rate concerns the fold."""
    session = state.sessions[r.s]
    recent = tuple(at for at in session.notes if at > state.clock - MINUTE)
    noted = replace(session, notes=(*recent, state.clock))
    return replace(state, sessions={**state.sessions, r.s: noted})


def target_live(state: State, r: Record) -> str | None:
    """Another's session."""
    if r.x["session"] not in state.sessions:
        return "no such live session"
    return "its own session" if r.x["session"] == r.s else None


def still_silent(state: State, r: Record) -> str | None:
    """A vote that comes late, when the session has been heard again, is none."""
    return None if state.sessions[r.x["session"]].last == r.x["last"] else "heard since"


def waited_enough(state: State, r: Record) -> str | None:
    """Its W by the witness's own clock."""
    target = state.sessions[r.x["session"]]
    return None if r.x["waited"] >= silence(state, target) else "not silent for W"


def expire(state: State, r: Record) -> State:
    """A vote; two voters, or one that waited 3 W, end the session."""
    target = state.sessions[r.x["session"]]
    votes = target.votes if r.a in target.votes else (*target.votes, r.a)
    if len(votes) >= VOTERS or r.x["waited"] >= ALONE * silence(state, target):
        return end(state, target)
    return witnessed(state, target, votes)
