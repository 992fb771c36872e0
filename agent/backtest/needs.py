"""What a rule book reads: which series of which metrics, and from how long before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.model import Labels
from agent.promql import Expression, selector
from agent.promql.labels import NAME
from agent.promql.nodes import Matcher, Selector
from agent.recording.world_names import NAMES
from agent.rulebook import Rulebook
from agent.rulebook.compiled import compiled


@dataclass(frozen=True, slots=True)
class Needs:
    """`selectors`: what is read; `back_ms`: how long before the first judgement; `made`: what recording rules
    make, so it is not read. `only`: matchers that every series must meet, whatever the rules say.
    """

    selectors: tuple[Selector, ...]
    back_ms: int
    made: frozenset[str]
    only: tuple[Matcher, ...] = ()

    def keeps(self, name: str, labels: Labels) -> bool:
        """Whether a series is wanted."""
        values = {**dict(labels), NAME: name}
        return self._chosen(values) and all(m.matches(values.get(m.name, "")) for m in self.only)

    def _chosen(self, values: dict[str, str]) -> bool:
        return values[NAME] not in self.made and any(
            (each.name is None or each.name == values[NAME])
            and all(m.matches(values.get(m.name, "")) for m in each.matchers)
            for each in self.selectors
        )

    @property
    def queries(self) -> tuple[str, ...]:
        """The selectors as PromQL, each once; one that another covers is left out."""
        whole = {each.name for each in self.selectors if not each.matchers}
        wanted = [
            e for e in self.selectors if e.name not in self.made and not (e.matchers and e.name in whole)
        ]
        return tuple(dict.fromkeys(str(Selector(e.name, (*e.matchers, *self.only))) for e in wanted))


def needs(books: Iterable[Rulebook], only: Iterable[str] = ()) -> Needs:
    """Of several rule books together. `only`: label=value."""
    selectors: list[Selector] = [Selector(name, ()) for name in sorted(NAMES)]
    back, made = 0, set[str]()
    for book in books:
        made |= {rule.name for rule in book.records}
        for rule in book.rules:
            expression = compiled(rule.expr)
            back = max(back, expression.window_ms + rule.offset_ms)
            selectors += [Selector(r.selector.name, r.selector.matchers) for r in expression.selectors]
        for expression in map(compiled, book.of_remedies()):  # their labels are filled in later
            back = max(back, expression.window_ms)
            selectors += [Selector(name, ()) for name in sorted(expression.names)]
    matchers = tuple(_matcher(text) for text in only)
    return Needs(tuple(selectors), back, frozenset(made), matchers)


def expressions(book: Rulebook) -> dict[str, Expression]:
    """The compiled expression of each alert; of several of one name the first."""
    return {rule.name: compiled(rule.expr) for rule in reversed(book.alerts)}


def _matcher(text: str) -> Matcher:
    """`instance=broker-1:7071` as a matcher. ValueError says how to write it."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"bad condition {text!r}: write it like instance=broker-1:7071")
    return selector("x" + "{" + f"{name}={_quoted(value)}" + "}").matchers[0]


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
