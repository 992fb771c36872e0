"""The fleet as text: what the control topic's log amounts to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from click import style

from agent.commands.show import Plain, cleaned, when
from agent.control.overview import unwell
from agent.quantities import show_duration

_STATES = {"orphan": "red", "stuck": "red", "queued": "yellow", "granted": "yellow", "dirty": "cyan"}


def troubles(answer: Plain) -> list[str]:
    """What a person should look at, a line each; `degraded` and `caught_up` are those of the agent asked."""
    told = [f"{answer['agent']} cannot use the log: {answer['degraded']}"] if answer.get("degraded") else []
    if not answer.get("caught_up", True):
        told.append(f"{answer['agent']} has not read the log to its end: this may be old")
    return [*told, *answer.get("unrest", ()), *unwell(answer)]


def fleet(answer: Plain, now: int) -> str:
    """The whole of it."""
    answer = cleaned(answer)
    lines = [_title(answer, now), *(style(f"! {words}", fg="red") for words in troubles(answer))]
    if answer["settles_in_ms"]:
        lines.append(f"the log settles for {_rounded(answer['settles_in_ms'])}: nothing is granted before")
    lines += [f"{answer['agent']} waits: {words}" for words in answer.get("held_back", ())]
    lines += _section("agents", [*_agents(answer["agents"], now), *_gone(answer["gone"])])
    lines += _section("claims", [line for c in answer["claims"] for line in _claim(c, now)] or ["none"])
    lines += _section("budgets", _table([list(_budget(b, now)) for b in answer["budgets"]]))
    if answer["pauses"]:
        lines += _section("pauses", [_pause(p, now) for p in answer["pauses"]])
    coming = [f"{n} becomes {c['value']} at {when(c['at'], now)}" for n, c in answer["coming"].items()]
    lines += _section("params to come", coming) if coming else []
    if answer["voids"]:
        lines += _section("void records", [f"{count} {why}" for why, count in answer["voids"].items()])
    return "\n".join(lines)


def _title(answer: Plain, now: int) -> str:
    if not answer["log"]:
        return style("no log", bold=True)
    place = f"offset {answer['offset']}, epoch {answer['epoch']}, {when(answer['as_of'], now)}"
    seen = f", as {answer['agent']} sees it" if answer.get("agent") else ""
    of = f" of cluster {answer['cluster']}" if answer.get("cluster") else ""
    return style(f"log {answer['log']}", bold=True) + f"{of}, {place}, fold {answer['fold']}{seen}"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [style(title, bold=True), *(f"  {line}" for line in lines)]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under one another; the last one is as wide as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _agents(agents: Sequence[Plain], now: int) -> list[str]:
    return _table([list(_agent(agent, now)) for agent in agents]) or ["none is live"]


def _agent(agent: Plain, now: int) -> Iterator[str]:
    yield agent["agent"]
    yield f"{agent['host']}{' ' + agent['rack'] if agent['rack'] else ''}"
    yield f"{agent['version']}, folds up to {agent['fold_max']}"
    yield f"join {agent['joins']}, for {_rounded(agent['age_ms'])}, heard {when(agent['heard_at'], now)}"
    said = [f"fires {', '.join(agent['firing'])}"] if agent["firing"] else []
    said += [agent["status"]] if agent["status"] else []
    if agent["probation_ms"]:
        said.append(f"in probation for {_rounded(agent['probation_ms'])}")
    if agent["votes"]:
        said.append(f"silent, says {', '.join(agent['votes'])}")
    yield "; ".join(said)


def _gone(names: Sequence[str]) -> list[str]:
    return [f"not live, but seen before: {', '.join(names)}"] if names else []


def _claim(claim: Plain, now: int) -> Iterator[str]:
    state, holder = claim["state"], claim["holder"] or claim["agent"]
    of = f" of {holder}" if state != "orphan" else f", left by {holder}"
    bound = f", only for {claim['host']}" if state == "orphan" and claim["host"] else ""
    scopes = ", ".join(claim["scopes"])
    yield (
        f"{claim['claim']}  {style(state, fg=_STATES.get(state))} since {when(claim['at'], now)}{of}"
        f"{bound}: {claim['kind']} ({scopes}): {claim['why']}"
    )
    for words in claim["waits_for"]:
        yield f"    waits: {words}"


def _budget(budget: Plain, now: int) -> Iterator[str]:
    yield budget["scope"]
    if budget["scope"].startswith("limit/"):
        yield "a remedy's own"
    elif budget["scope"].endswith("/*"):
        yield f"{budget['cap']} for each"
    else:
        yield f"{budget['used']} of {budget['cap']}"
    told = [f"{budget['queued']} queued"] if budget["queued"] else []
    if budget["rate"]:
        told.append(f"{budget['began']} of {budget['rate']} in {show_duration(budget['window_ms'])}")
    elif budget["began"]:
        told.append(f"{budget['began']} began in 7d")
    if budget["free_at"] is not None:
        told.append(f"the next one is free at {when(budget['free_at'], now)}")
    yield ", ".join(told)


def _pause(pause: Plain, now: int) -> str:
    until = f"until {when(pause['until'], now)}" if pause["until"] else "until resumed"
    return f"{pause['selector']} {until}, by {pause['by']}: {pause['reason']}"


def _rounded(ms: int) -> str:
    return show_duration(ms // 1_000 * 1_000)
