"""Rules as Prometheus has them, alerting and recording."""

from __future__ import annotations

import msgspec

from agent.model.place import Place
from agent.model.series import Labels


class AlertRule(msgspec.Struct, frozen=True):
    """One `alert:` of a Prometheus rule file. Durations are milliseconds.

    A name may stand several times: name and labels together are a rule's identity, as in Prometheus.
    `labels` (the group's included) and `annotations` are as written; `limit` (0: none) and `offset_ms`, by
    which its expression looks into the past, are the group's.
    """

    name: str
    expr: str
    for_ms: int
    keep_firing_for_ms: int
    labels: Labels
    annotations: Labels
    group: str
    place: Place
    limit: int = 0
    offset_ms: int = 0


class RecordRule(msgspec.Struct, frozen=True):
    """One `record:` of a Prometheus rule file: its results become series called `name`, with `labels`."""

    name: str
    expr: str
    labels: Labels
    group: str
    place: Place
    limit: int = 0
    offset_ms: int = 0


Rule = AlertRule | RecordRule
