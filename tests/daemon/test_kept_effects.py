"""What an action mends and keeps stays where it healed; but not once its incident was undone after all, as a
person ordered before the disk told that it had healed."""

from __future__ import annotations

from typing import Any

import pytest
from fenced_fleet import SET, UNSET, Fleet, play
from test_adoption import LONG, ended, search
from test_carrying import OF, knows, sent_in_doubt

from agent.actions import action
from agent.actions.throttle_replication import ThrottleReplication
from agent.daemon.carry import Carrier
from agent.daemon.evidence import Evidence
from agent.model import Blast, Kind

HEALED = Kind.DONE, Kind.HEALED
UNDONE = *HEALED, Kind.UNDOING, Kind.UNDONE
RATE_ALONE = {"broker/1": SET["broker/1"], "topic/orders": UNSET["topic/orders"]}


@action(blast=Blast.CLUSTER, reversible=True, keeps=True, adoptable=True)
class Keeping(ThrottleReplication):
    """A throttle that stays."""

    plan = ThrottleReplication.plan


def keeps(fleet: Fleet) -> None:
    """Agent 1's throttles do."""
    fleet.agents[1].actions["throttle_replication"] = Keeping()


@pytest.mark.parametrize(("told", "left"), [(UNDONE, UNSET), ((*HEALED, Kind.CLOSED), SET)])
def test_a_claim_that_nobody_holds_is_closed_by_what_became_of_its_incident(told: Any, left: Any) -> None:
    """By the sweep."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        keeps(fleet)
        await knows(fleet, *told)
        await fleet.closed(1)
        assert fleet.cluster.values == left

    play(story)


@pytest.mark.parametrize(("told", "left"), [(UNDONE, UNSET), ((*HEALED, Kind.CLOSED), RATE_ALONE)])
def test_what_stands_without_a_claim_is_found_where_it_was_undone(told: Any, left: Any) -> None:
    """Its rate tells, by its stamp."""

    async def story(fleet: Fleet) -> None:
        keeps(fleet)
        fleet.cluster.values |= {key: dict(values) for key, values in RATE_ALONE.items()}
        await search(fleet, ended(*told), LONG)
        assert fleet.cluster.values == left

    play(story)


def test_what_lands_late_of_it_is_put_back_before_its_claim_is_given_back() -> None:
    """Nobody answered what was sent first; its undo was ordered before it was written to have healed."""

    async def story(fleet: Fleet) -> None:
        await sent_in_doubt(fleet)
        keeps(fleet)
        await knows(fleet, *HEALED)
        one: Any = fleet.agents[1]
        evidence = Evidence(one, OF.incident)
        evidence.must_go = Kind.UNDOING, "undone by ann"
        carrier = Carrier(one, OF.incident, evidence)
        await carrier.carry(resumed=True)
        assert (carrier.incident.verdict, carrier.incident.mended) == (Kind.HEALED, False)
        assert fleet.agents[1].control.claim_called(fleet.claim) is None
        assert fleet.cluster.values == {"topic/orders": UNSET["topic/orders"]}

    play(story)
