"""Where series come from in the end: a recorded one is no source of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from agent.promql import Expression
from agent.rulebook import Rulebook
from agent.rulebook.compiled import compiled

_PREFIXES = (("host_", "host"), ("log_", "logs"), ("kafka_admin_", "cluster"), ("ottla_", "agent"))
_DEEPEST = 20  # recording rules that read recording rules


def source_of(name: str) -> str:
    """Which source a series comes from, by its name's prefix."""
    return next((source for prefix, source in _PREFIXES if name.startswith(prefix)), "jmx")


class Origins:
    """`names`: all that rules and remedies read. `recorded`: what recording rules write, and what those read.

    `origin` gives the name that a source has for a series which rules name otherwise.
    """

    def __init__(self, book: Rulebook, origin: Callable[[str], str]) -> None:
        self._origin = origin
        self.names = frozenset[str]().union(*(compiled(text).names for text in book.expressions()))
        self.recorded: Mapping[str, frozenset[str]] = _recorded(book)

    def of(self, expression: Expression) -> frozenset[str]:
        """The sources that an expression rests on."""
        return frozenset[str]().union(*map(self.behind, expression.names))

    def behind(self, name: str) -> frozenset[str]:
        """The sources of one series, recording rules seen through."""
        return frozenset(self._sources(name))

    def named_by(self, sources: frozenset[str], names: frozenset[str]) -> frozenset[str]:
        """Which of these names come from one of the sources themselves."""
        if not sources:
            return frozenset()
        return frozenset(n for n in names - self.recorded.keys() if source_of(self._origin(n)) in sources)

    def _sources(self, name: str, depth: int = 0) -> Iterator[str]:
        if name not in self.recorded or depth > _DEEPEST:
            yield source_of(self._origin(name))
            return
        for each in self.recorded[name]:
            yield from self._sources(each, depth + 1)


def _recorded(book: Rulebook) -> Mapping[str, frozenset[str]]:
    recorded: dict[str, frozenset[str]] = {}
    for rule in book.records:
        recorded[rule.name] = recorded.get(rule.name, frozenset()) | compiled(rule.expr).names
    return recorded
