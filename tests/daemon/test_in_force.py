"""Why an alert fires no more, where the rules are others than those that its incident was opened under."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from stage import book

from agent.daemon.in_force import in_force
from agent.decide import decide, endings
from agent.history import History, fold
from agent.model import Alert, AlertState, Entry, Kind
from agent.rulebook import Rulebook

FORMER = book()
FULL = Alert("Full", (("alertname", "Full"), ("path", "/d1")), AlertState.FIRING, 0, 0.9)
CHOOSY = replace(
    FORMER, remedies={"Full": replace(FORMER.remedies["Full"], match=(("starved", "yes"),))}
)  # as of a release whose rule sets a label more


def refused() -> History:
    """The alert's incident, opened under the former rules."""
    (decision,) = decide([FULL], FORMER.remedies, History(), 5)
    entry = Entry(5, Kind.REFUSED, "paused", decision.incident, question="paused", decision=decision)
    return fold(History(), entry)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (CHOOSY, "its remedy is not for an alert with these labels now"),
        (replace(FORMER, remedies={}), "its remedy was removed"),
        (replace(FORMER, rules=(), remedies={}), "its rule was removed"),
    ],
    ids=["labels", "remedy", "rule"],
)
def test_the_incident_of_an_alert_that_nothing_is_done_about_now_ends_with_why(
    now: Rulebook, reason: str
) -> None:
    (end,) = endings([FULL], now.remedies, refused(), 9, in_force(now).end_of)
    assert end.reason == reason
