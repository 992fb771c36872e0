"""What the commands for rule authors know of a host: its sources' metrics, its actions, its window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent import actions
from agent.config.settings import INTERVAL_MS, WINDOW_MS
from agent.daemon.origins import source_of
from agent.lints import Facts, Metric
from agent.model import ActionSpec
from agent.rulebook import Rulebook
from agent.rulebook.log_files import groups_of
from agent.sources.catalogue import declared
from agent.sources.label_names import LABELS
from agent.sources.log_counters import metrics_of
from agent.sources.name_files import shipped
from agent.sources.names import Names


def specs() -> Mapping[str, ActionSpec]:
    """What rules may name in `do:`."""
    return {name: actions.spec(cls) for name, cls in actions.load().items()}


def facts(book: Rulebook, missing: frozenset[str] = frozenset(), names: Names | None = None) -> Facts:
    """Of a host with these rules and every source. `missing`: what an agent said it has nothing of.

    `names`: the host's own; else the shipped ones.
    """
    known = names or shipped()
    metrics = {metric.name: metric for metric in _metrics(book, known)}
    return Facts(metrics, specs(), lambda n: source_of(known.origin(n)), WINDOW_MS, INTERVAL_MS, missing)


def _metrics(book: Rulebook, names: Names) -> Iterator[Metric]:
    for name, info in declared(names).items():
        row = names.metrics.get(names.origin(name))
        single = row is not None and "*" not in row.mbean
        source = source_of(names.origin(name))
        yield Metric(name, info.type, info.unit, info.help, source, single, LABELS.get(name))
    for pattern in book.logs:
        for info in metrics_of(pattern):
            labels = groups_of(pattern.regex) - {pattern.counts, pattern.sets}
            yield Metric(info.name, info.type, info.unit, info.help, "logs", labels=labels)
