"""What series are called on this host: which MBeans names stand for, aliases, and target labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from agent.model import Labels, Sample, labels_of
from agent.sources.jmx_names import JmxMetric

MAX_LABEL_SETS = 100_000  # remembered with their target labels; beyond that all are forgotten once


class Alias(Struct, frozen=True):
    """Another name for a metric that some source has.

    `where`: only series with these labels. `labels`: our label → theirs, empty to leave it out.
    """

    of: str
    where: Labels = ()
    labels: tuple[tuple[str, str], ...] = ()

    def series(self, sample: Sample, name: str) -> Sample | None:
        """The sample under the other name; None where it is not meant."""
        if not set(self.where) <= set(sample.labels):
            return None
        known = dict(self.labels)
        labels = {known.get(label, label): value for label, value in sample.labels}
        return replace(sample, name=name, labels=labels_of({n: v for n, v in labels.items() if n}))


class Names(Struct, frozen=True):
    """All names. `metrics` are JMX's, by name; `targets` are added to every series that lacks them."""

    metrics: Mapping[str, JmxMetric]
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    targets: Labels = ()

    def asked(self, wanted: frozenset[str]) -> frozenset[str]:
        """What sources must read for these names: aliases are read as what they stand for."""
        return frozenset(map(self.origin, wanted))

    def origin(self, name: str) -> str:
        """The name under which a source has it."""
        alias = self.aliases.get(name)
        return name if alias is None else alias.of


class Translation:
    """Samples as sources have them to series as rules name them; `wanted` are the names that rules read."""

    def __init__(self, names: Names, wanted: frozenset[str]) -> None:
        self._targets = dict(names.targets)
        self._aliases: dict[str, list[tuple[str, Alias]]] = {}
        for name in sorted(wanted & names.aliases.keys()):
            self._aliases.setdefault(names.aliases[name].of, []).append((name, names.aliases[name]))
        self._merged: dict[Labels, Labels] = {}

    def told(self, samples: Sequence[Sample]) -> list[Sample]:
        """The samples with their target labels, and once more under each alias that is wanted."""
        told = list(samples)
        if self._aliases:
            told += [other for sample in samples for other in self._others(sample)]
        if self._targets:
            told = [replace(sample, labels=self._with_targets(sample.labels)) for sample in told]
        return told

    def _others(self, sample: Sample) -> list[Sample]:
        others = [alias.series(sample, name) for name, alias in self._aliases.get(sample.name, ())]
        return [other for other in others if other is not None]

    def _with_targets(self, labels: Labels) -> Labels:
        merged = self._merged.get(labels)
        if merged is None:
            if len(self._merged) >= MAX_LABEL_SETS:
                self._merged.clear()
            merged = self._merged[labels] = labels_of({**self._targets, **dict(labels)})
        return merged
