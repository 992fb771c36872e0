"""What is known of rules beyond one life of the agent: their alerts, and when they were last judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from agent.model import Alert, AlertState, Labels, Rule

OUTAGE_MS = 3_600_000  # after more than this without a look an alert begins anew, as in Prometheus


class Kept(Struct, frozen=True):
    """What is active of one rule, and which series it recorded. `seen_at`: when it was last judged well;
    `sightless_ms`: for how long of the time since nothing was found of what it reads; `given_up`: why its
    alerts were ended for that."""

    name: str
    labels: Labels  # the rule's own, as they are written
    expr: str
    seen_at: int
    alerts: tuple[Alert, ...] = ()
    written: tuple[Labels, ...] = ()
    sightless_ms: int = 0
    given_up: str = ""

    @property
    def key(self) -> tuple[str, Labels, str]:
        """What makes it the same rule: its name, its labels and its expression."""
        return self.name, self.labels, self.expr


def key(rule: Rule) -> tuple[str, Labels, str]:
    """The key of a rule, as Kept has it."""
    return rule.name, rule.labels, rule.expr


def after_gap(active: Mapping[Labels, Alert], gap_ms: int) -> dict[Labels, Alert]:
    """Alerts after a time in which nobody looked. Beyond OUTAGE_MS nothing is left: everything proves itself
    anew. A gap below zero is a clock that was set back meanwhile."""
    return {} if gap_ms > OUTAGE_MS else shifted(active, gap_ms)


def shifted(active: Mapping[Labels, Alert], by_ms: int) -> dict[Labels, Alert]:
    """Alerts for which so much of the clock's time counts neither for `for` nor for `keep_firing_for`.

    What was pending has proved itself for as long as it was seen, and what fired without a result was missed
    for as long as it was seen missing.
    """
    return {labels: _shifted(alert, by_ms) for labels, alert in active.items()}


def _shifted(alert: Alert, by_ms: int) -> Alert:
    if alert.state is AlertState.PENDING:
        return replace(alert, active_at=alert.active_at + by_ms)
    if alert.keep_firing_since is not None:
        return replace(alert, keep_firing_since=alert.keep_firing_since + by_ms)
    return alert


def lost(kept: Iterable[Kept], rules: Iterable[Rule]) -> tuple[Kept, ...]:
    """What is known of rules that are not among `rules` any more: removed, or changed."""
    keys = {key(rule) for rule in rules}
    return tuple(each for each in kept if each.key not in keys)
