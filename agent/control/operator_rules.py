"""Rows of section 2's table that an agent writes for a person: pause, budget, params, resolve, raise.

Each change names the offset of the record that it means to replace: compare and set.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from agent.control.budgets import STANDING
from agent.control.claims import TRANSITIONS, handled, move
from agent.control.memory import cooldown
from agent.control.pauses import in_force, is_selector
from agent.control.records import Record
from agent.control.state import Coming, Pause, State
from agent.control.times import Budget, params_fault

PAUSES = 128
BUDGETS = 512
# How a change makes an agent that has not read it yet act against it: it counts only after the older time.
SHORTER_IS_LATE = frozenset({"w", "w_idle"})
LONGER_IS_LATE = frozenset({"h", "e_own", "e_controller"})
# By these a request is in doubt, and one that left under longer ones is so for as long as those had it.
SHORTER_IS_DOUBT = frozenset({"act", "e_own", "e_controller"})


def _thing(r: Record) -> str:
    """What is changed, as `changes` has it."""
    name = r.x.get("selector") or r.x.get("scope")
    return f"{r.t}/{name}" if name else r.t


def as_expected(state: State, r: Record) -> str | None:
    """Nobody changed the same thing in between; -1 is for what nobody changed since genesis."""
    last = state.changes.get(_thing(r), -1)
    return None if r.x["expect"] == last else f"changed meanwhile: at offset {last}"


def _changed(state: State, r: Record) -> Mapping[str, int]:
    return {**state.changes, _thing(r): state.offset}


def selector_known(state: State, r: Record) -> str | None:
    """It names something, and not too many of them are in force."""
    selector = r.x["selector"]
    if not is_selector(selector):
        return f"no such selector: {selector}"
    full = selector not in state.pauses and len(in_force(state)) >= PAUSES
    return "too many pauses" if full else None


def pause(state: State, r: Record) -> State:
    """Stops intents for so many seconds of log time, or lets them go again; never an undo."""
    until = state.clock + r.x["for"] * 1_000 if r.x["for"] else 0
    told = Pause(r.x["on"], until, r.x["reason"], r.x["by"])
    if r.x["selector"] not in state.pauses and len(state.pauses) >= PAUSES:
        state = _without_ended(state)
    return replace(state, pauses={**state.pauses, r.x["selector"]: told}, changes=_changed(state, r))


def _without_ended(state: State) -> State:
    """Without the pauses that are off or lapsed, and when they were changed: to make room for new ones."""
    kept = set(in_force(state))
    gone = {f"pause/{selector}" for selector in state.pauses if selector not in kept}
    return replace(
        state,
        pauses={selector: pause for selector, pause in state.pauses.items() if selector in kept},
        changes={thing: offset for thing, offset in state.changes.items() if thing not in gone},
    )


def budget_sound(state: State, r: Record) -> str | None:
    """An exclusive scope is for one; a rate has a window; there are not too many budgets."""
    scope = r.x["scope"]
    if scope.startswith("x:"):
        return "exclusive scopes are for one"
    if r.x["rate"] and not r.x["window"]:
        return "a rate needs a window"
    return "too many budgets" if scope not in state.budgets and len(state.budgets) >= BUDGETS else None


def budget(state: State, r: Record) -> State:
    """Counts at once; what was granted beyond it finds no room at its intent."""
    changed = Budget(r.x["cap"], r.x["rate"], r.x["window"])
    return replace(state, budgets={**state.budgets, r.x["scope"]: changed}, changes=_changed(state, r))


def times_still_fit(state: State, r: Record) -> str | None:
    """What counts at once and what counts in the end are both within the bounds."""
    now, coming = _parted(state, r.x["values"])
    return params_fault(now) or params_fault({**now, **{name: c.value for name, c in coming.items()}})


def params(state: State, r: Record) -> State:
    """New times; all votes are cleared, for they were given by the old ones."""
    now, coming = _parted(state, r.x["values"])
    voted = {i: replace(s, votes=()) for i, s in state.sessions.items() if s.votes}
    sessions = {**state.sessions, **voted} if voted else state.sessions
    return replace(state, params=now, coming=coming, sessions=sessions, changes=_changed(state, r))


def _parted(state: State, values: Mapping[str, int]) -> tuple[dict[str, int], dict[str, Coming]]:
    """What is in force from now on, and what only later."""
    now, coming = dict(state.params), dict(state.coming)
    for name, value in values.items():
        coming.pop(name, None)
        if late := _late(state, name, value):
            coming[name] = Coming(value, state.clock + late)
        else:
            now[name] = value
    return now, coming


def _late(state: State, name: str, value: int) -> int:
    """For how long the older value still counts: its own time, or until nothing that left under it can land,
    where a claim may have sent something."""
    params = state.params
    older = params.get(name, value)
    if value < older and name in SHORTER_IS_DOUBT and any(c.state in STANDING for c in state.claims.values()):
        return params["act"] + max(params["e_own"], params["e_controller"])
    late = (value < older and name in SHORTER_IS_LATE) or (value > older and name in LONGER_IS_LATE)
    return older if late else 0


def now_in_force(state: State) -> State:
    """With the parameters whose time has come."""
    due = {name: c.value for name, c in state.coming.items() if c.since <= state.clock}
    if not due:
        return state
    coming = {name: c for name, c in state.coming.items() if name not in due}
    return replace(state, params={**state.params, **due}, coming=coming)


def resolvable(state: State, r: Record) -> str | None:
    """An orphan, or stuck, with this token."""
    found = state.claims.get(r.x["id"])
    if found is None or (found.state, "resolved") not in TRANSITIONS:
        return "neither an orphan nor stuck"
    return None if found.token == r.x["token"] else "not the token"


def resolve(state: State, r: Record) -> State:
    """Closed by a person, who looked; the problem was handled."""
    found = state.claims[r.x["id"]]
    state = move(state, found, "resolved")
    return handled(state, found.problem, state.clock + cooldown(state, found.kind))


def next_version(state: State, r: Record) -> str | None:
    """One version at a time, and none that no release here knows."""
    return None if r.x["to"] == state.version + 1 else f"not the next fold version: {state.version + 1} is"


def all_can_follow(state: State, r: Record) -> str | None:
    """Every live session knows the new rules."""
    old = sorted(s.agent for s in state.sessions.values() if s.fold_max < r.x["to"])
    return f"cannot follow: {', '.join(old[:5])}" if old else None


def raise_fold(state: State, r: Record) -> State:
    """From the next record on the rules are the new version's."""
    return replace(state, version=r.x["to"], changes=_changed(state, r))
