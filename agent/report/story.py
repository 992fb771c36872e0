"""Why: the facts about a rule, a target or an incident in order, and what stands now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from agent.history import History, Incident, Phase
from agent.model import PAUSED, Decision, Entry, Kind
from agent.report.alike import alike
from agent.report.firing import alerts_now, fired, pending, targets
from agent.report.overview import Live, Plain, incident
from agent.report.words import changes, fact, wanted

KEPT_SAYINGS = 5  # of other agents about one target
LONGEST_REASON = 150  # of a pause, in the 512 characters that a beat has for all
KEPT_STORIES = 20  # the newest; a screen for a person, and how many more there are is told

_PHASES = {
    Phase.NEW: "was decided just now",
    Phase.REFUSED: "is not done",
    Phase.PROPOSED: "is proposed",
    Phase.WAITING: "waits",
    Phase.ACTING: "is being done",
    Phase.VERIFYING: "was done; whether it helps is being watched",
    Phase.HELD: "healed it, and what it set still stands",
    Phase.UNDOING: "must be undone; that has not succeeded yet",
    Phase.SETTLED: "is over and nothing of it stands; the next step, or the end, comes next",
    Phase.ESCALATED: "did not heal it: a person is needed",
    Phase.CLOSED: "is closed and nothing of it stands",
}

_WANTS = frozenset({Phase.REFUSED, Phase.PROPOSED, Phase.WAITING, Phase.ESCALATED})


def why(
    history: History, entries: Iterable[Entry], subject: str, now: int, live: Live | None = None
) -> Plain:
    """The facts, oldest first, and `stands`: what is true now, a sentence each.

    `known` is False where nobody has heard of the subject; `suggestions` then has the names that look alike.
    Of its alerts: `pending`, [{rule, labels, value, since, fires_at}], and `fired`, what fires no more,
    [{rule, labels, value, began_at, ended_at}], as far as this life of the agent saw it; instants are ms.
    """
    stories = _stories(entries)
    mine = {i: s for i, s in stories.items() if subject in _names(i, s)}
    kept = list(mine)[-KEPT_STORIES:]
    names = {n for i, s in stories.items() for n in _names(i, s)} | _live_names(live)
    known = bool(mine) or subject in names
    return {
        "subject": subject,
        "known": known,
        "suggestions": [] if known else alike(subject, names),
        "facts": [fact for i in kept for fact in _facts(mine[i])],
        "omitted_incidents": len(mine) - len(kept),
        "incidents": [incident(history.incidents[i]) for i in kept if i in history.incidents],
        "pending": pending(subject, live) if live else [],
        "fired": fired(subject, live) if live else [],
        "stands": _stands(history, {i: mine[i] for i in kept}, subject, now, live),
    }


def doing(history: History, now: int) -> str:
    """What this agent does and wants to do, for the other agents to read; in ASCII. First that it is paused:
    beats cut what is too long, and no semicolon is in the reason, which ends there."""
    open_ = (i for i in history.incidents.values() if i.stands or i.phase in _WANTS)
    pause = history.paused(now)
    told = [f"{PAUSED}{pause.reason.replace(';', ',')[:LONGEST_REASON]}"] if pause else []
    told += [f"{i.decision.do} for {i.decision.target} {_PHASES[i.phase]}" for i in open_]
    return "; ".join(told).encode("ascii", "backslashreplace").decode()


def _stories(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries by incident, each from its decision on; one whose beginning is gone is left out."""
    stories: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.incident and (entry.incident in stories or entry.decision is not None):
            stories.setdefault(entry.incident, []).append(entry)
    return stories


def _names(one: str, story: Sequence[Entry]) -> set[str]:
    first = _decision(story[0])
    return {one, first.alert, first.target}


def _decision(entry: Entry) -> Decision:
    assert entry.decision is not None, "a story begins with a decision"
    return entry.decision


def _live_names(live: Live | None) -> set[str]:
    if live is None:
        return set()
    labels = [*(a.labels for a in live.alerts), *(one.labels for one in live.fired)]
    patients = {value for each in labels for value in targets(each)}
    return {*live.rules, *live.remedies, *(one.rule for one in live.fired)} | patients


def _facts(story: Sequence[Entry]) -> Iterator[Plain]:
    told = None
    for entry in story:
        it = entry.decision
        if it is not None and told != (it.step, it.do, it.args):  # a reload may change what it wants
            told = it.step, it.do, it.args
            yield _plain_fact(entry, "alert", wanted(it))
        yield _plain_fact(entry, str(entry.kind), fact(entry))


def _plain_fact(entry: Entry, kind: str, text: str) -> Plain:
    shown = kind in (Kind.STARTED, Kind.PROPOSED)
    return {
        "at": entry.at,
        "incident": entry.incident,
        "kind": kind,
        "text": text,
        "question": entry.question,
        "reason": entry.reason,
        "changes": changes(entry.effect) if shown else [],
        "until": entry.until if shown else None,
    }


def _stands(
    history: History, stories: dict[str, list[Entry]], subject: str, now: int, live: Live | None
) -> list[str]:
    known = [history.incidents[i] for i in stories if i in history.incidents]
    still = [i for i in known if i.phase is not Phase.CLOSED] or known[-1:]
    told = [_incident(i, stories[i.id], live) for i in still]
    told += alerts_now(subject, now, live) if live else []
    told += _said({subject, *(i.decision.target for i in still)}, " ".join(told), live) if live else []
    pause = history.paused(now)
    paused = [f"the agent is paused, it begins nothing new: {pause.reason}"] if pause else []
    return [*(told or [f"nothing is recorded about {subject}"]), *paused]


def _incident(one: Incident, story: Sequence[Entry], live: Live | None) -> str:
    doing = f"{one.decision.do} for {one.decision.target} {_PHASES[one.phase]}"
    asked = f"{one.question}: " if one.question else ""
    reason = one.reason
    if (
        one.phase is Phase.WAITING and live
    ):  # the journal's reason is as old as the wait; a live agent knows better
        claim = next((e.claim for e in reversed(story) if e.kind is Kind.WAITING), None)
        holders = live.blockers.get(claim, ()) if claim is not None else ()
        reason = "; ".join(holders) or reason
    return f"{doing}: {asked}{reason}"


def _said(targets: set[str], told: str, live: Live) -> list[str]:
    """What live agents last said of the targets, and those say that what was told names."""
    about = [
        f"{agent} said at {_clock(at)}: {words}"
        for agent, (at, words) in sorted(live.said.items())
        if words and (agent in told or any(f"for {each} " in words for each in targets))
    ]
    more = len(about) - KEPT_SAYINGS
    return about[:KEPT_SAYINGS] + ([f"{more} more agents said something of it"] if more > 0 else [])


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%H:%M:%S")
