"""`ottla status` and `why` show what waits for a person: proposals, and pauses of the whole fleet."""

from __future__ import annotations

import pytest
from click import unstyle
from fake_surface import NOW, FakeSurface
from msgspec.structs import replace
from stories import EFFECT, decision, entry

from agent.commands import show
from agent.model import Entry, Kind

PROPOSED = entry(NOW - 60_000, Kind.PROPOSED, reason="throttle on /d1 awaits a person")
WORD = Entry(NOW, Kind.OPERATOR, "ann (uid 0): not now", decision().incident, "deny", decision())


@pytest.fixture
def surface() -> FakeSurface:
    """An agent with one proposal, which says what it would change."""
    return FakeSurface([replace(PROPOSED, effect=EFFECT, question="approval")])


async def test_a_proposal_is_shown_with_what_it_would_change(surface: FakeSurface) -> None:
    status = await surface.status()
    assert "throttle on /d1 awaits a person" in show.unwell(status)
    text = unstyle(show.status(status))
    assert "throttle for /d1 (Full): proposed since" in text
    (incident,) = status["incidents"]
    assert incident["changes"] == []
    assert len(incident["would_change"]) == len(EFFECT.changes) > 0
    assert f"    would change: {incident['would_change'][0]}" in text


async def test_its_name_is_shown_and_what_a_person_may_still_say(surface: FakeSurface) -> None:
    """What was denied may be approved after all; what it would change stays in sight."""
    (incident,) = (await surface.status())["incidents"]
    assert incident["answers"] == ["approve", "deny"]
    assert len(incident["proposal"]) == 6
    assert "you may still" not in unstyle(show.status(await surface.status()))

    surface.entries = (*surface.entries, WORD, replace(WORD, kind=Kind.REFUSED, question="mode"))
    text = unstyle(show.status(await surface.status()))
    assert f"      you may still: ottla approve {incident['proposal']}" in text.splitlines()
    assert f"    would change: {incident['would_change'][0]}" in text


async def test_what_of_a_source_is_not_read_is_shown_and_why(surface: FakeSurface) -> None:
    """The rules on it are failing, and HostSourceFails sends people here."""
    why = "describe_configs refused with TOPIC_AUTHORIZATION_FAILED: topic payroll"
    of_all = {"up": True, "age_ms": 2_000, "why": ""}
    status = await surface.status()
    status["sources"] = [
        of_all | {"name": "cluster", "unread": ["kafka_admin_partitions"], "failed": {"partitions": why}},
        of_all | {"name": "jmx", "unread": [], "failed": {f"a:name={n}": "status 500" for n in range(12)}},
    ]
    assert f"source cluster is read in part: partitions: {why}" in show.unwell(status)
    assert not [words for words in show.unwell(status) if "jmx" in words]
    lines = unstyle(show.status(status)).splitlines()
    at = lines.index("  cluster: up, read 2s ago")
    assert lines[at + 1 : at + 4] == [
        f"    partitions: {why}",
        "    unread: kafka_admin_partitions",
        "  jmx: up, read 2s ago",
    ]
    assert lines[at + 13 : at + 15] == ["    a:name=9: status 500", "    and 2 more"]


def test_why_tells_what_a_proposal_wants_after_a_reload(surface: FakeSurface) -> None:
    first = surface.entries[0]
    assert first.decision is not None
    other = replace(first, at=NOW, decision=replace(first.decision, args=(("rate", "10MB"),)))
    surface.entries = (*surface.entries, other)
    wants = [fact["text"] for fact in surface.why("/d1")["facts"] if fact["kind"] == "alert"]
    assert [text.endswith("wants throttle {rate: 10MB}") for text in wants] == [False, True]


def test_why_tells_the_proposal_its_changes_and_the_answer(surface: FakeSurface) -> None:
    surface.entries = (*surface.entries, WORD)
    text = unstyle(show.why(surface.why("/d1"), NOW))
    assert "proposed (approval): throttle on /d1 awaits a person" in text
    assert "operator: deny: ann (uid 0): not now" in text
    assert "throttle for /d1 is proposed: approval: throttle on /d1 awaits a person" in text


async def test_what_is_paused_for_the_whole_fleet_is_not_well() -> None:
    status = await FakeSurface().status()
    assert show.unwell(status) == []
    status["control"] = {
        "caught_up": True,
        "degraded": None,
        "peers": [],
        "pauses": ["* is paused by ann: x"],
    }
    assert show.unwell(status) == ["in the whole fleet * is paused by ann: x"]
    assert "! in the whole fleet * is paused by ann: x" in unstyle(show.status(status))


async def test_whom_it_waits_for_in_a_log_that_was_made_again_is_shown() -> None:
    status = await FakeSurface().status()
    well: dict[str, object] = {"caught_up": True, "degraded": None, "peers": [], "pauses": []}
    status["control"] = {**well, "held_back": ["the log was made again"]}
    assert show.unwell(status) == ["the log was made again"]


async def test_records_without_effect_are_counted_by_reason() -> None:
    status = await FakeSurface().status()
    well: dict[str, object] = {"caught_up": True, "degraded": None, "peers": [], "pauses": []}
    status["control"] = {**well, "voids": {"not JSON": 2, "a copy": 1}, "joins": 4}
    assert show.unwell(status) == []
    assert "  3 records void: 1 a copy, 2 not JSON" in unstyle(show.status(status)).splitlines()
    status["control"]["voids"] = {}
    assert "void" not in unstyle(show.status(status))


async def test_that_nobody_can_join_soon_is_not_well() -> None:
    status = await FakeSurface().status()
    faults = ["the log begins at offset 7, and there is no snapshot: once that is deleted nobody can join"]
    status["control"] = {"caught_up": True, "degraded": None, "peers": [], "snapshots": {"faults": faults}}
    assert show.unwell(status) == faults


async def test_an_alert_without_labels_is_named_alone(surface: FakeSurface) -> None:
    status = await surface.status()
    fires = {"rule": "Few", "state": "firing", "value": 0.0, "active_at": NOW - 1000}
    status["alerts"] = [
        fires | {"labels": {"alertname": "Few", "severity": "page"}},
        fires | {"labels": {"alertname": "Few", "path": "/d1"}},
    ]
    told = show.unwell(status)
    assert "Few is firing" in told
    assert "Few is firing for path=/d1" in told
    lines = unstyle(show.status(status)).splitlines()
    assert [line.partition(" since")[0] for line in lines if line.startswith("  firing")] == [
        "  firing Few, 0",
        "  firing Few path=/d1, 0",
    ]


async def test_a_remedy_that_names_a_label_in_vain_is_named_once() -> None:
    """It never acts: no time mends it, as it does what else was refused."""
    why = "$pth: the alert has no label pth"
    entries = [
        replace(entry(NOW, Kind.REFUSED, of=decision(name), reason=why), question=question)
        for name, question in (("a@0", "labels"), ("b@0", "labels"), ("c@0", "cooldown"))
    ]
    told = show.unwell(await FakeSurface(entries).status())
    assert [each for each in told if why in each] == [f"the remedy of Full cannot act: {why}"]
