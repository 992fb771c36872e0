"""An explained rule as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from agent.quantities import show_duration, show_size

_WIDTH = 110
_TAKES = {
    "nothing": "takes nothing",
    "host": "takes capacity of its own host",
    "cluster": "takes something that the whole cluster sees",
    "disruptive": "takes a broker, or its leadership, away",
}


def as_words(told: dict[str, Any]) -> str:
    """What `explain` gives for one rule."""
    what = "an alert" if told["kind"] == "alert" else "a recording rule"
    lines = [f"{told['rule']}: {what} of the group {told['group']}, {told['place']}", ""]
    lines += _indented(told["expr"])
    lines += ["", "Reads", *_reads(told["reads"]), "", "Needs", *_needs(told["needs"])]
    if told["fires"]:
        lines += ["", "Fires", *_fires(told)]
    if told["remedy"]:
        lines += _remedy(told["remedy"])
    elif told["kind"] == "alert":
        lines += ["", "Does", "  nothing: it has no remedy"]
    return "\n".join(lines)


def _reads(reads: list[dict[str, Any]]) -> Iterator[str]:
    for each in reads:
        if "recorded_as" in each:
            yield from _wrapped(f"{each['metric']}: recorded here, as {each['recorded_as']}")
        elif each["source"] is None:
            yield from _wrapped(f"{each['metric']}: nothing here collects it, so the rule stays blind")
        else:
            unit = f", {each['unit']}" if each["unit"] else ""
            yield from _wrapped(
                f"{each['metric']}: {each['type']}{unit}, from the source {each['source']}. {each['help']}"
            )
    if not reads:
        yield "  no series at all"


def _needs(needs: dict[str, int]) -> Iterator[str]:
    window, kept = show_duration(needs["window_ms"]), show_duration(needs["kept_ms"])
    beyond = " - more than is kept" if needs["window_ms"] > needs["kept_ms"] else ""
    yield f"  samples of the last {window}; an agent keeps {kept}{beyond}"
    if needs["history_ms"]:
        yield f"  after its start an agent must have looked for {show_duration(needs['history_ms'])}"


def _fires(told: dict[str, Any]) -> Iterator[str]:
    fires = told["fires"]
    held = f"once that has had a result for {show_duration(fires['for_ms'])}"
    yield f"  {held if fires['for_ms'] else 'as soon as that has a result'}, one alert a label set"
    if fires["keep_firing_for_ms"]:
        yield f"  goes on for {show_duration(fires['keep_firing_for_ms'])} after the last result"
    if fires["limit"]:
        yield f"  more than {fires['limit']} results are a storm, in which nothing is done"
    for kind in ("labels", "annotations"):
        for name, text in told[kind].items():
            yield from _wrapped(f"{name}: {text}")


def _remedy(remedy: dict[str, Any]) -> Iterator[str]:
    yield from ("", "Does")
    yield f"  by {remedy['place']}, which {remedy['owner']} owns; mode {remedy['mode']}"
    yield f"  for each {remedy['target']}" if remedy["target"] != "alertname" else "  for this broker"
    for number, step in enumerate(remedy["steps"], 1):
        yield from _step(number, step)
    if remedy["worse_if"]:
        yield from _wrapped(f"undone at once, and a person called, if {remedy['worse_if'].strip()}")
    yield from ("", "Within these limits", *_limits(remedy["limits"]), "", "Refused, asked in this order, if")
    width = max((len(each["question"]) for each in remedy["refusals"]), default=0)
    for each in remedy["refusals"]:
        yield from _wrapped(f"{each['question']:<{width}}  {each['when']}", " " * (width + 2))
    for step in remedy["steps"]:
        if step.get("refuses"):
            yield from _wrapped(f"{step['do']} itself: {step['refuses']}")


def _step(number: int, step: dict[str, Any]) -> Iterator[str]:
    if "summary" not in step:
        yield f"  {number}. {step['do']}: a person takes over"
        return
    yield from _wrapped(f"{number}. {step['do']}: {step['summary']}", "   ")
    if step["with"]:
        yield from _wrapped("   " + ", ".join(f"{name}: {value}" for name, value in step["with"].items()))
    undo = "can be undone whole" if step["reversible"] else "cannot be undone whole"
    if step["lease_ms"] is not None:
        undo += f", and is after {show_duration(step['lease_ms'])}"
    elif step["keeps"]:
        undo += "; what it mended stays"
    yield from _wrapped(f"   {_TAKES[step['takes']]}; {undo}")
    verify = step["verify"]
    if verify:
        held = f" for {show_duration(verify['stable_for_ms'])}" if verify["stable_for_ms"] else ""
        yield from _wrapped(
            f"   helped if {verify['expr'].strip()} holds{held} within {show_duration(verify['within_ms'])};"
            " if not, it is undone and the next step follows"
        )


def _limits(limits: dict[str, Any]) -> Iterator[str]:
    policy = limits["policy"]
    often = f", at most {limits['per_host']} on this host" if limits["per_host"] else ""
    often += f", at most {limits['per_cluster']} in the whole cluster" if limits["per_cluster"] else ""
    yield f"  {show_duration(limits['cooldown_ms'])} of rest after an action on a patient{often}"
    yield f"  at most {limits['max_targets']} at once; more patients are no local fault"
    shown = [
        f"at most {policy['per_host']} of all remedies together",
        *map(_policy, _POLICY.items(), [policy] * 3),
    ]
    yield from _wrapped(f"the host's policy: {', '.join(text for text in shown if text)}")


_POLICY = {
    "drain_headroom": "{:.0%} of a target log dir stay free",
    "max_move_rate": "moves at most at {}/s",
    "min_throttle_rate": "throttles at least at {}/s",
}


def _policy(row: tuple[str, str], policy: dict[str, Any]) -> str:
    name, words = row
    if name not in policy:
        return ""
    value = policy[name]
    return words.format(value if isinstance(value, float) else show_size(value))


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.split("\n")]


def _wrapped(text: str, further: str = "  ") -> list[str]:
    """Indented by two, lines that follow by more."""
    first = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.strip(),
        _WIDTH,
        initial_indent=f"  {first}",
        subsequent_indent=f"  {first}{further}",
        break_long_words=False,
        break_on_hyphens=False,
    )
