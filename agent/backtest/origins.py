"""Where series come from: the sources behind them, recording rules seen through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.daemon.origins import source_of
from agent.promql import compile  # noqa: A004  the engine's word
from agent.rulebook import Rulebook


class Origins:
    """The sources of metrics, by the rules of one book."""

    def __init__(self, book: Rulebook) -> None:
        self._made = _made(book)
        texts = [*(rule.expr for rule in book.rules), *of_remedies(book)]
        self.names = frozenset[str]().union(*(compile(text).names for text in texts))  # what is read

    def of(self, name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """A recorded metric is no source of its own: those of all that its rule reads are."""
        if name not in self._made:
            return frozenset({source_of(name)})
        inside = self._made[name] - seen
        return frozenset[str]().union(*(self.of(each, seen | {name}) for each in inside - {name}))


def of_remedies(book: Rulebook) -> Iterator[str]:
    """The expressions of all remedies; `$label` stands in them where an alert fills it in."""
    for remedy in book.remedies.values():
        yield from remedy.unless
        yield from filter(None, (remedy.worse_if, *(s.verify.expr for s in remedy.steps if s.verify)))


def _made(book: Rulebook) -> Mapping[str, frozenset[str]]:
    made: dict[str, frozenset[str]] = {}
    for rule in book.records:
        made[rule.name] = made.get(rule.name, frozenset()) | compile(rule.expr).names
    return made
