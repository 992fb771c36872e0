"""logs-only: log lines alone ask for an action that takes something from the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.lints.ladders import steps
from agent.model import Blast


def logs_only(case: Case) -> Iterator[Finding]:
    """The gate refuses these whenever they are asked for: a line can be forged, repeated or late."""
    for rung in steps(case):
        if rung.spec.blast is not Blast.NOTHING and rung.signals == {"logs"}:
            message = (
                f"{rung.alert} reads log lines only, and the gate never lets these alone begin {rung.do}"
            )
            yield rung.finding(message, "combine it with a metric: `... and on () <metric> > 0`")
