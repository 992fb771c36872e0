"""Reads `remedy_tests`: stories of a host, its cluster and its agent, and the journal expected of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from agent.model import Policy
from agent.quantities import parse_duration, show_duration
from agent.rehearsal.case_forms import read_alert_cases, read_series
from agent.rehearsal.cases import Event, Peer, RemedyTest
from agent.rehearsal.readers import journal, order, reason_or_false
from agent.rehearsal.world import Given
from agent.rehearsal.world_forms import read_world
from agent.yaml_marks import Form
from agent.yaml_marks.readers import duration, integer, positive, rate, ratio, text, texts, times

MOST_MS = 7 * 86_400_000  # a story is played in virtual time, but not for nothing
_TAIL_MS = 60_000  # what is played on after the last thing that is given or expected


def read_story(form: Form, evaluation_interval: int) -> RemedyTest:
    """One story."""
    interval = form.get("interval", duration, 0) or evaluation_interval
    series, alerts = read_series(form), read_alert_cases(form)
    events = tuple(sorted(_events(form), key=lambda event: event[0]))
    expected = form.get("journal", journal, None)
    instants = [at for at, _ in events] + [case.at for case in alerts]
    instants += [len(one.values) * interval for one in series]
    instants += [line.at for line in expected or () if line.at is not None]
    _check_lives(form, events)
    story = RemedyTest(
        name=form.get("name", text, "", required=True),
        place=form.place,
        interval=interval,
        series=series,
        node=form.get("node", integer, 1),
        policy=_policy(form),
        events=events,
        lasts=form.get("lasts", duration, max(instants) + _TAIL_MS),
        alerts=alerts,
        journal=expected,
        left=form.get("left", texts, None),
    )
    if story.lasts > MOST_MS:
        form.complain("a story lasts at most 7d", key="lasts")
    form.close()
    return story


def _policy(story: Form) -> Policy:
    """The host's, as its configuration would have it; but nobody waits for the grace unless told to."""
    form, default = story.form("policy", "`policy`"), Policy(startup_grace_ms=0)
    if form is None:
        return default
    policy = Policy(
        per_host=form.get("per_host", times, default.per_host),
        breaker=form.get("breaker", positive, default.breaker),
        startup_grace_ms=form.get("startup_grace", duration, 0),
        drain_headroom=form.get("drain_headroom", ratio, default.drain_headroom),
        max_move_rate=form.get("max_move_rate", rate, default.max_move_rate),
        min_throttle_rate=form.get("min_throttle_rate", rate, default.min_throttle_rate),
    )
    form.close()
    return policy


def _events(story: Form) -> Iterator[tuple[int, Event]]:
    """What is so from the start, under `world`, and what happens later, by its instant."""
    world = story.form("world", "`world`")
    yield 0, _event(world) if world else Event(Given(), {})
    events = story.form("events", "`events`")
    for name, _, form in events.named("what happens at {}") if events else ():
        event = _event(form)
        try:
            at = parse_duration(name)
        except ValueError as error:
            form.complain(str(error)[:200], "the key is an instant after the start, like 1m30s")
            continue
        if at == 0 and (event.crash is not None or event.operator):
            form.complain("the agent is only just started at 0s", "let it happen later")
        yield at, event


def _check_lives(story: Form, events: Sequence[tuple[int, Event]]) -> None:
    """A dead agent can neither be killed nor told anything."""
    dead_until = 0
    for at, event in events:
        if at < dead_until and (event.crash is not None or event.operator):
            message = f"at {show_duration(at)} the agent is dead: there is nobody to order or to kill"
            story.complain(message, key="events")
        if event.crash is not None:
            dead_until = max(dead_until, at + event.crash)


def _event(form: Form) -> Event:
    event = Event(
        given=read_world(form),
        peers=_peers(form),
        crash=form.get("crash", duration, None),
        operator=form.get("operator", order, None),
        stop_file=form.get("stop_file", reason_or_false, None),
        control_topic=form.get("control_topic", reason_or_false, None),
    )
    form.close()
    return event


def _peers(event: Form) -> Mapping[int, Peer]:
    form = event.form("peers", "`peers`")
    found = {}
    for name, _, peer in form.named("the peer {}") if form else ():
        if not name.isdecimal():
            peer.complain(f"{name!r} is no node id", "write it like {2: {firing: [LogDirFillingUp]}}")
            continue
        found[int(name)] = Peer(peer.get("firing", texts, None), peer.get("holds", texts, None))
        peer.close()
    return found
