"""What became of rules: whether they can be judged, and which alerts are active."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from agent.model.rules import Rule
from agent.model.series import Labels

# How the status of a peer begins whose own agent is paused; the reason follows, up to the first "; ".
PAUSED = "paused: "

# The last name of what fires at a peer that cannot tell all; no count, which would change.
AND_MORE = "and more"


class AlertState(StrEnum):
    """Prometheus's states of one alert."""

    PENDING = "pending"
    FIRING = "firing"


class RuleHealth(StrEnum):
    """Whether a rule can be judged at all. Only OK acts or clears."""

    OK = "ok"
    COLD = "cold"  # the window does not yet cover what the expression needs
    BLIND = "blind"  # a selector has matched nothing in the whole window
    FAILING = "failing"  # the expression or its source errs
    STORM = "storm"  # more results than the group's limit


class Alert(msgspec.Struct, frozen=True):
    """One active alert: a rule and one label set (rule labels and alertname included).

    `keep_firing_since`: the instant from which it has fired without a result, None while it has one.
    """

    rule: str
    labels: Labels
    state: AlertState
    active_at: int
    value: float
    annotations: Labels = ()  # expanded
    keep_firing_since: int | None = None

    def label(self, name: str) -> str:
        """The value of a label; absent is the empty string, as in Prometheus."""
        return dict(self.labels).get(name, "")


class Firing(msgspec.Struct, frozen=True):
    """One time that an alert fired, as the agent saw it in this life: from `began` until `ended` (ms), None
    while it fires. The value is the last one seen."""

    rule: str
    labels: Labels
    value: float
    began: int
    ended: int | None

    @property
    def lasted_ms(self) -> int:
        """How long; 0 where the clock was set back, or it fires."""
        return max(0, (self.ended or 0) - self.began)


class RuleNow(msgspec.Struct, frozen=True):
    """One rule and what came of it: `why` it cannot be judged, when it last was (ms), in how many seconds."""

    rule: Rule
    health: RuleHealth
    why: str
    alerts: tuple[Alert, ...] = ()
    evaluated_at: int | None = None
    took_s: float = 0.0
