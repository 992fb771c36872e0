"""Annotations: what Prometheus tells an author about a result that may not be what was meant."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from agent.promql.nodes import quote
from agent.promql.numbers import general

_COUNTER_ENDS = ("_total", "_sum", "_count", "_bucket")
_MONOTONIC = (
    "input to histogram_quantile needed to be fixed for monotonicity (see "
    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
)


class Fixed(Struct):
    """Buckets that had to be made to rise: between which bounds, by how much, how often, when (ms)."""

    lowest: float
    highest: float
    difference: float
    samples: int
    first_at: int
    last_at: int

    def join(self, other: Fixed) -> None:
        """Both as one."""
        self.lowest, self.highest = min(self.lowest, other.lowest), max(self.highest, other.highest)
        self.difference = max(self.difference, other.difference)
        self.samples += other.samples
        self.first_at, self.last_at = min(self.first_at, other.first_at), max(self.last_at, other.last_at)


class Notes:
    """The warnings and infos of one evaluation, each text once (util/annotations/annotations.go)."""

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}
        self._fixed: dict[tuple[str, str], Fixed] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """The texts, each with its place in the expression."""
        return tuple(self._warnings)

    @property
    def infos(self) -> tuple[str, ...]:
        """The texts, each with its place in the expression."""
        return (*self._infos, *(_text(fixed, *key) for key, fixed in self._fixed.items()))

    def not_a_counter(self, name: str, place: str) -> None:
        """rate or increase of a metric that is not named as a counter is."""
        if name and not name.endswith(_COUNTER_ENDS):
            what = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
            self._infos[f"PromQL info: {what}{quote(name)}{_at(place)}"] = None

    def bad_quantile(self, value: float, place: str) -> None:
        """A quantile that is none."""
        if not 0 <= value <= 1:
            what = f"quantile value should be between 0 and 1, got {general(value)}"
            self._warnings[f"PromQL warning: {what}{_at(place)}"] = None

    def bad_bucket(self, name: str, bound: str, place: str) -> None:
        """A classic histogram's series without a number for its bound."""
        what = f'bucket label "le" is missing or has a malformed value of {quote(bound)}'
        self._warnings[f"PromQL warning: {what}{_of(name)}{_at(place)}"] = None

    def idle_sort(self, place: str) -> None:
        """sort() where the result is ordered by labels anyway."""
        what = "sort is ineffective for range queries since results are always ordered by labels"
        self._warnings[f"PromQL warning: {what}{_at(place)}"] = None

    def fixed_buckets(self, name: str, place: str, fixed: Fixed) -> None:
        """Buckets that fell."""
        known = self._fixed.setdefault((name, place), fixed)
        if known is not fixed:
            known.join(fixed)


def _text(fixed: Fixed, name: str, place: str) -> str:
    bounds = f"from buckets {general(fixed.lowest)} to {general(fixed.highest)}"
    times = f"from {_when(fixed.first_at)} to {_when(fixed.last_at)}"
    return (
        f"PromQL info: {_MONOTONIC}{_of(name)}, {bounds}, with a max diff of {fixed.difference:.2g}, "
        f"over {fixed.samples} samples {times}{_at(place)}"
    )


def _when(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _of(name: str) -> str:
    return f" for metric name {quote(name)}" if name else ""


def _at(place: str) -> str:
    return f" ({place})" if place else ""
