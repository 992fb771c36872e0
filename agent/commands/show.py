"""The agent's answers as text for a terminal; click removes the colours where the output is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from click import style

from agent.quantities import show_duration

Plain = dict[str, Any]
_MOST_PARTS = 10  # of a source, whose failures are told one by one
_COLOURS = {
    "firing": "red",
    "pending": "yellow",
    "escalated": "red",
    "failed": "red",
    "worse": "red",
    "no better": "yellow",
    "refused": "yellow",
    "proposed": "yellow",
    "waiting": "yellow",
    "healed": "green",
    "done": "green",
    "undoing": "cyan",
    "undone": "cyan",
}


def unwell(status: Plain) -> list[str]:
    """What of a status a person should look at, a line each. A cold rule is well: it warms by itself."""
    modes = status["modes"]
    told = [] if status["live"] else ["no agent was reached: this is what its journal says"]
    if modes["stopped"] is not None:  # an empty stop file stops as well
        told.append(f"stopped: {modes['stopped'] or 'the stop file gives no reason'}")
    told += [f"{mode}: {modes[mode]}" for mode in ("paused", "degraded") if modes[mode]]
    told += [modes["breaker"]] if modes.get("breaker") else []
    told += [f"{incident} does not go on: {why}" for incident, why in status.get("troubles", {}).items()]
    told += [f"in the whole fleet {words}" for words in (status["control"] or {}).get("pauses", ())]
    told += (status["control"] or {}).get("unrest", ())
    told += (status["control"] or {}).get("held_back", ())
    told += ((status["control"] or {}).get("snapshots") or {}).get("faults", ())
    told += [
        f"source {s['name']} is down: {s.get('why') or 'no reason'}" for s in status["sources"] if not s["up"]
    ]
    told += [
        f"source {s['name']} is read in part: {_parts(s)[0]}" for s in status["sources"] if s.get("unread")
    ]
    broken = [r for r in status["rules"]["not_ok"] if r["health"] != "cold"]
    told += [f"rule {r['rule']} is {r['health']}: {r['why']}" for r in broken]
    reload = status["rules"]["reload"]
    if reload and not reload["ok"]:
        told.append(f"the last reload was refused; the old rules stand: {reload['complaints'][0]}")
    told += [
        f"{a['rule']} is firing{_labels(a, ' for ')}" for a in status["alerts"] if a["state"] == "firing"
    ]
    calls = [i for i in status["incidents"] if i["phase"] == "escalated"]
    told += [f"{i['alert']} for {i['target']} needs a person: {i['reason']}" for i in calls]
    mistaken = [i for i in status["incidents"] if (i["phase"], i["question"]) == ("refused", "labels")]
    told += dict.fromkeys(f"the remedy of {i['alert']} cannot act: {i['reason']}" for i in mistaken)
    return told + [i["reason"] for i in status["incidents"] if i["phase"] == "proposed"]


def status(answer: Plain) -> str:
    """The overview."""
    answer, now = cleaned(answer), answer["now"]
    lines = [_title(answer)]
    lines += [style(f"! {words}", fg="red") for words in unwell(answer)] or [style("all is well", fg="green")]
    lines += _section("sources", [line for s in answer["sources"] for line in _source(s)])
    lines += _section("alerts", [_alert(a, now) for a in answer["alerts"]])
    lines += _section("incidents", [line for i in answer["incidents"] for line in _incident(i, now)])
    rules = answer["rules"]
    cold = [f"{r['rule']} is {r['health']}: {r['why']}" for r in rules["not_ok"]]
    lines += _section(f"rules: {rules['count']}, {rules['digest'] or 'digest unknown'}", cold)
    control = answer["control"]
    if control:
        caught_up = "read to its end" if control["caught_up"] else "not yet read to its end"
        words = control["degraded"] or f"{caught_up}; peers: {', '.join(control['peers']) or 'none'}"
        lines += _section("control topic", [words, *_voids(control)])
    return "\n".join(lines)


def _voids(control: Plain) -> list[str]:
    """What of the log had no effect, and why."""
    voids = control.get("voids") or {}
    whys = ", ".join(f"{count} {reason}" for reason, count in sorted(voids.items()))
    return [f"{sum(voids.values())} records void: {whys}"] if voids else []


def why(answer: Plain, now: int) -> str:
    """The facts in order, and what stands now."""
    answer = cleaned(answer)
    if not answer["known"]:
        near = answer["suggestions"]
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        return f"nobody has heard of {answer['subject']!r}{hint}"
    lines = (
        [f"({answer['omitted_incidents']} older incidents are not shown)"]
        if answer["omitted_incidents"]
        else []
    )
    incident = None
    for fact in answer["facts"]:
        if fact["incident"] != incident:
            incident = fact["incident"]
            lines.append(style(f"incident {incident}", bold=True))
        lines.append(f"  {when(fact['at'], now)}  {_coloured(fact['kind'], fact['text'])}")
        lines += [f"             {change}" for change in fact["changes"]]
        if fact["until"]:
            lines.append(f"             until {when(fact['until'], now)}")
    over = [_fired(one, now) for one in answer.get("fired", ())]
    lines += _section("fired, as far as this life of the agent saw it", over) if over else []
    lines += [style("now", bold=True), *(f"  {words}" for words in answer["stands"])]
    for line in answer.get("lines", ()):
        lines.append(style(f"log line of {line['file']}, counted in {line['metric']}", bold=True))
        lines += [f"  {text}" for text in line["text"]]
    return "\n".join(lines)


def actions(answers: Sequence[Plain], now: int) -> str:
    """What was done, newest first."""
    lines: list[str] = []
    for action in cleaned(answers):
        again = f", begun {action['begun']} times" if action["begun"] > 1 else ""
        lines.append(
            f"{when(action['at'], now)}  {action['do']} for {action['target']} ({action['alert']}){again}"
        )
        lines += [f"    {change}" for change in action["changes"]]
        ends = [
            ("done", action["done_at"]),
            (action["verdict"], action["verdict_at"]),
            ("undone", action["undone_at"]),
            ("refused", action.get("refused_at")),
        ]
        over = action["undone_at"] or action.get("refused_at")
        told = ", ".join(_coloured(word, f"{word} {when(at, now)}") for word, at in ends if at is not None)
        until = f"; until {when(action['until'], now)}" if action["until"] and not over else ""
        lines.append(f"    {told or 'under way'}{until}: {action['reason']}  [{action['incident']}]")
    return "\n".join(lines) or "nothing was done"


def when(at: int, now: int) -> str:
    """An instant in local time; the date only where it is another day."""
    then, today = (datetime.fromtimestamp(ms / 1000).astimezone() for ms in (at, now))
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def cleaned(data: Any) -> Any:
    """The same data without control characters: a label from a log line must not steer a terminal."""
    if isinstance(data, str):
        return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in data)
    if isinstance(data, dict):
        return {key: cleaned(value) for key, value in data.items()}
    return [cleaned(item) for item in data] if isinstance(data, (list, tuple)) else data


def _title(answer: Plain) -> str:
    since = answer["started_at"]
    up = (
        f"up {show_duration((answer['now'] - since) // 1000 * 1000)}"
        if since is not None
        else "from the journal"
    )
    version = f" {answer['version']}" if answer["version"] else ""
    return style(f"ottla{version} {answer['agent'] or ''}".rstrip(), bold=True) + f", {up}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [style(title, bold=True), *(f"  {line}" for line in lines)]


def _source(source: Plain) -> Iterator[str]:
    """What of it is not read, and why, below it."""
    age = source.get("age_ms")
    seen = f"read {show_duration(age // 1000 * 1000)} ago" if age is not None else "never read"
    yield f"{source['name']}: {'up' if source['up'] else _coloured('failed', 'down')}, {seen}"
    yield from (f"  {line}" for line in _parts(source))


def _parts(source: Plain) -> list[str]:
    """Why parts of it are not read, and what these would tell."""
    failed, unread = source.get("failed", {}), source.get("unread", ())
    lines = [f"{part}: {why}" for part, why in islice(failed.items(), _MOST_PARTS)]
    lines += [f"and {len(failed) - _MOST_PARTS} more"] if len(failed) > _MOST_PARTS else []
    return lines + ([f"unread: {', '.join(unread)}"] if unread else [])


def _alert(alert: Plain, now: int) -> str:
    said = f"{alert['rule']}{_labels(alert, ' ')}, {alert['value']:g} since {when(alert['active_at'], now)}"
    return f"{_coloured(alert['state'], alert['state'])} {said}"


def _fired(one: Plain, now: int) -> str:
    from_to = f"{when(one['began_at'], now)} until {when(one['ended_at'], now)}"
    return f"{one['rule']} from {from_to}{_labels(one, ' for ')}"


def _labels(alert: Plain, before: str) -> str:
    """Those that tell one alert of a rule from another, with a word before them where there are any."""
    told = ", ".join(f"{n}={v}" for n, v in alert["labels"].items() if n not in ("alertname", "severity"))
    return f"{before}{told}" if told else ""


def _incident(incident: Plain, now: int) -> list[str]:
    until = (
        f", stands until {when(incident['until'], now)}" if incident["stands"] and incident["until"] else ""
    )
    head = f"{incident['do']} for {incident['target']} ({incident['alert']}): "
    asked = f"{incident['question']}: " if incident["question"] else ""
    state = _coloured(incident["phase"], incident["phase"]) + f" since {when(incident['at'], now)}{until}"
    still = _answers(incident) if incident["phase"] != "proposed" else ""  # whose reason says it
    return (
        [f"{head}{state}  [{incident['id']}]", f"    {asked}{incident['reason']}"]
        + [f"    {change}" for change in incident["changes"]]
        + [f"    would change: {change}" for change in incident.get("would_change", ())]
        + ([f"    you may still: {still}"] if still else [])
    )


def _answers(incident: Plain) -> str:
    """What a person may say to it."""
    return ", ".join(f"ottla {verb} {incident['proposal']}" for verb in incident.get("answers", ()))


def _coloured(word: str, text: str) -> str:
    return style(text, fg=_COLOURS.get(word))
