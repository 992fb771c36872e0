"""Where series come from in the end: a recorded one is no source of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from agent.promql import Expression
from agent.promql.needs import Reach
from agent.rulebook import Rulebook
from agent.rulebook.compiled import compiled
from agent.sources import exposition_own, schedule
from agent.sources.catalogue import TABLES

_HOST = "host"
_PREFIXES = (
    ("host_", _HOST),
    ("log_", "logs"),
    ("kafka_admin_", "cluster"),
    ("kafka_probe_", "protocol_probe"),
    ("ottla_", "agent"),
)
BROKER = "jmx"
# Some signals come from several sources, each of which may fail alone: by name, which one. How its reading
# went every source tells, and each exporter besides, also where it failed.
_DECLARED: Mapping[str, frozenset[str]] = {
    metric.name: frozenset() if metrics in (schedule.METRICS, exposition_own.METRICS) else frozenset({source})
    for _, source, metrics in TABLES
    for metric in metrics
    if metric.name.startswith(("host_", "ottla_"))
}
OF_EACH = frozenset(metric.name for metric in (*schedule.METRICS, *exposition_own.METRICS))
_ANY_ON_HOST = frozenset[str]().union(*(of for name, of in _DECLARED.items() if name.startswith("host_")))
_DEEPEST = 20  # recording rules that read recording rules


def source_of(name: str) -> str:
    """Which signal a series is, by its name's prefix.

    All that is read of the broker's JVM is one, and what any exporter gives counts as the same: two of them
    that agree prove no more than one.
    """
    return next((source for prefix, source in _PREFIXES if name.startswith(prefix)), BROKER)


def from_jmx(_name: str) -> frozenset[str]:
    """Where names without a prefix of ours come from, if JMX is all that is read."""
    return frozenset({BROKER})


# What does not answer: sources by their names, and of others what they could not read, as `part` calls it.
Down = frozenset[str]


def part(source: str, metric: str) -> str:
    """What stands for one metric of a source among what is down."""
    return f"{source}/{metric}"  # no metric has a slash in its name


Giving = Callable[[str], frozenset[str]]


class Origins:
    """`names`: all that rules and remedies read. `recorded`: what recording rules write, and what those read.

    `origin` gives the name that a source has for a series which rules name otherwise; `giving` the sources,
    as `ottla_source_up` calls them, that may give a name without a prefix of ours.
    """

    def __init__(self, book: Rulebook, origin: Callable[[str], str], giving: Giving = from_jmx) -> None:
        self._origin = origin
        self._giving = giving
        self.names = frozenset[str]().union(*(compiled(text).names for text in book.expressions()))
        self.recorded: Mapping[str, frozenset[str]] = _recorded(book)
        self._records = book.records

    def of(self, expression: Expression) -> frozenset[str]:
        """The sources that an expression rests on."""
        return frozenset[str]().union(*map(self.behind, expression.names))

    def behind(self, name: str) -> frozenset[str]:
        """The sources of one series, recording rules seen through."""
        return frozenset(self._sources(name))

    def named_by(self, down: Down, names: frozenset[str]) -> frozenset[str]:
        """Which of these names come from one of the sources themselves, or are among what one could not
        read."""
        if not down:
            return frozenset()
        return frozenset(name for name in names - self.recorded.keys() if self._is_down(name, down))

    def was_read(self, name: str, read: frozenset[str], down: Down) -> bool:
        """Whether all that may give a name have been `read`, and it of them."""
        return self._givers(name) <= read and not self._is_down(name, down)

    def silent(self, expression: Expression, down: Down) -> frozenset[str]:
        """The names that an expression rests on and of which nothing can be known. One that chooses series by
        patterns may rest on any that rules name and they match."""
        names = self.names | self.recorded.keys() if expression.nameless else expression.names
        return self.named_by(down, self.originals(expression.reads(names)))

    def parts(self, names: frozenset[str], sources: frozenset[str]) -> Down:
        """Those of the metrics behind names that these sources may give, as `part` calls them."""
        behind = self.originals(names)
        return frozenset(
            part(each, self._origin(name)) for name in behind for each in self._givers(name) & sources
        )

    def originals(self, names: Iterable[str]) -> frozenset[str]:
        """The names that no rule records behind these."""
        return frozenset[str]().union(*map(self._originals, names))

    def lies_after(
        self, expression: Expression, lasted: float, is_fresh: Callable[[str], bool], depth: int = 0
    ) -> bool:
        """Whether all that it looks at, recording rules seen through, is from after an effect that stands for
        `lasted` ms: each window, or of a metric's newest samples that they are fresh."""
        later = (self._is_later(reach, lasted, is_fresh, depth) for reach in expression.selectors)
        return depth <= _DEEPEST and all(later)

    def _is_later(self, reach: Reach, lasted: float, is_fresh: Callable[[str], bool], depth: int) -> bool:
        name, left = reach.selector.name, lasted - reach.window_ms - reach.offset_ms
        rules = [compiled(rule.expr) for rule in self._records if rule.name == name]
        if left >= 0 and all(self.lies_after(rule, left, lambda _: False, depth + 1) for rule in rules):
            return True
        newest = reach.newest and name is not None and is_fresh(name)
        return newest and all(self.lies_after(rule, lasted, is_fresh, depth + 1) for rule in rules)

    def _is_down(self, name: str, down: Down) -> bool:
        origin = self._origin(name)
        return any(each in down or part(each, origin) in down for each in self._givers(name))

    def _givers(self, name: str) -> frozenset[str]:
        origin = self._origin(name)
        source = source_of(origin)
        if source == BROKER:
            return self._giving(origin)
        return _DECLARED.get(origin, _ANY_ON_HOST if source == _HOST else frozenset({source}))

    def _sources(self, name: str) -> Iterator[str]:
        yield from (source_of(self._origin(each)) for each in self._originals(name))

    def _originals(self, name: str, depth: int = 0) -> frozenset[str]:
        """The names that no rule records behind one."""
        if name not in self.recorded or depth > _DEEPEST:
            return frozenset({name})
        return frozenset[str]().union(*(self._originals(each, depth + 1) for each in self.recorded[name]))


def _recorded(book: Rulebook) -> Mapping[str, frozenset[str]]:
    recorded: dict[str, frozenset[str]] = {}
    for rule in book.records:
        recorded[rule.name] = recorded.get(rule.name, frozenset()) | compiled(rule.expr).names
    return recorded
