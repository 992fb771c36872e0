"""What to do for an alert: the ladder of steps, their proof, their limits."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from agent.model.place import Place
from agent.model.series import Labels


class Mode(StrEnum):
    """What a remedy may do."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    ACT = "act"


class Rate(msgspec.Struct, frozen=True):
    """At most `count` in any `window_ms`."""

    count: int
    window_ms: int


class Verify(msgspec.Struct, frozen=True):
    """Help is `expr` having a result for `stable_for_ms`, at the latest `within_ms` after the action."""

    expr: str
    within_ms: int
    stable_for_ms: int


Argument = str | int | float | bool | tuple[str, ...]


class Step(msgspec.Struct, frozen=True):
    """One rung of the ladder. `args` are typed already; a `$label` stays text until an alert fills it in."""

    do: str
    args: tuple[tuple[str, Argument], ...]
    lease_ms: int | None
    verify: Verify | None
    place: Place


class Limits(msgspec.Struct, frozen=True):
    """A remedy's own limits; the host's policy and the cluster's budgets come on top."""

    cooldown_ms: int = 30 * 60_000
    per_host: Rate | None = None
    per_cluster: Rate | None = None
    max_targets: int = 1


class Remedy(msgspec.Struct, frozen=True):
    """What to do for one alert."""

    alert: str
    owner: str
    mode: Mode
    target: str  # the label that names the patient
    unless: tuple[str, ...]
    steps: tuple[Step, ...]
    limits: Limits
    worse_if: str | None
    place: Place
    match: Labels = ()  # of the rules with that name only those that set these labels
