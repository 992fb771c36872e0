"""single-signal: an action wants more independent signals than the alert reads."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.lints.ladders import steps
from agent.model import Blast


def single_signal(case: Case) -> Iterator[Finding]:
    """Signals are independent where they come from different sources: jmx, host, logs, cluster."""
    for rung in steps(case):
        if not rung.signals or len(rung.signals) >= rung.spec.corroborate:
            continue
        seen = " and ".join(sorted(rung.signals))
        message = (
            f"{rung.do} wants {rung.spec.corroborate} independent signals, and {rung.alert} reads {seen} only"
        )
        if rung.spec.blast is Blast.DISRUPTIVE:
            message += ": the gate never lets it begin"
        yield rung.finding(message, "combine it with another source: `... and on () <metric> > 0`")
