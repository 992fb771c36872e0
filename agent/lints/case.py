"""What lints look at: rules with compiled expressions, where each was written, and what is known here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from agent.model import ActionSpec, AlertRule, Place, Remedy, Rule
from agent.promql import BadExpression, Expression
from agent.promql.nodes import Node, Selector
from agent.rulebook import Marks, Rulebook
from agent.rulebook.compiled import compiled
from agent.rulebook.filling import LABEL
from agent.rulebook.labels import MayHave, any_labels, labels_of
from agent.yaml_marks import Scalar, Severity


@dataclass(frozen=True, slots=True)
class Metric:
    """What a source declares of a metric; `single`: it has one series on a host, without labels."""

    name: str
    type: str  # gauge or counter
    unit: str
    help: str
    source: str
    single: bool = False
    labels: MayHave = None  # all that its series may have; None: that is not known


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the host the rules are for.

    `source_of` names the source behind a series; `window_ms` is how long samples are kept, `interval_ms` the
    time between two readings. `missing`: selectors, as text, for which the agent that was asked has nothing.
    """

    metrics: Mapping[str, Metric]
    actions: Mapping[str, ActionSpec]
    source_of: Callable[[str], str]
    window_ms: int
    interval_ms: int
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one lint says of one place."""

    place: Place
    message: str
    hint: str | None = None
    width: int = 1
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True)
class Written:
    """One expression of a rule or a remedy. `role` is its key: expr, verify, unless or worse_if."""

    rule: Rule | Remedy
    role: str
    expression: Expression
    scalar: Scalar | None

    @property
    def name(self) -> str:
        """The rule's name; of a remedy that of its alert."""
        return self.rule.alert if isinstance(self.rule, Remedy) else self.rule.name

    @property
    def node(self) -> Node:
        """The compiled tree."""
        return self.expression.node

    def finding(
        self,
        message: str,
        hint: str | None = None,
        *,
        at: Selector | None = None,
        severity: Severity = Severity.WARNING,
    ) -> Finding:
        """A finding at the expression, or at one selector of it."""
        index, width = self._span(at)
        place = self.scalar.place_of(index) if self.scalar else self.rule.place
        return Finding(place, message, hint, width, severity)

    def _span(self, at: Selector | None) -> tuple[int, int]:
        """Index and length in the text; all of it where no selector is meant."""
        text = self.expression.text
        if at is None:
            return len(text) - len(text.lstrip()), len(text.strip().split("\n", 1)[0].rstrip())
        line, _, column = at.place.partition(":")
        index = sum(len(each) + 1 for each in text.split("\n")[: int(line) - 1]) + int(column) - 1
        return index, len(at.name or "{")


@dataclass(frozen=True, slots=True)
class Case:
    """The rules under judgement. `written`: their expressions in the order of the files."""

    book: Rulebook
    marks: Marks
    facts: Facts
    written: tuple[Written, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "written", tuple(_written(self.book, self.marks)))

    def alerts_of(self, remedy: Remedy) -> tuple[Written, ...]:
        """The expressions of the alerts that a remedy is for."""
        return tuple(
            each
            for each in self.written
            if isinstance(each.rule, AlertRule)
            and each.rule.name == remedy.alert
            and set(remedy.match) <= set(each.rule.labels)
        )

    def labels(self, name: str, above: frozenset[str] = frozenset()) -> MayHave:
        """Which labels the series of this name may have; of a recorded one what its rules leave of them.
        `above`: recorded names on the way here, of which one may read itself."""
        if name in above:
            return None
        rules = [each for each in self.written if each.role == "record" and each.name == name]
        if not rules:
            metric = self.facts.metrics.get(name)
            return metric.labels if metric else None
        return any_labels([self.labels_of(each, above | {name}) for each in rules])

    def labels_of(self, each: Written, above: frozenset[str] = frozenset()) -> MayHave:
        """Which labels the results of a rule may have, its own included."""
        found = labels_of(each.node, lambda name: self.labels(name, above))
        own = {name for name, _ in each.rule.labels} if isinstance(each.rule, Rule) else set[str]()
        return None if found is None else found | own

    def sources(self, names: frozenset[str]) -> frozenset[str]:
        """The sources behind these series; behind a recorded one those of what it is made of."""
        recorded = {each.name: each.expression.names for each in self.written if each.role == "record"}
        found, todo, seen = set[str](), list(names), set[str]()
        while todo:
            name = todo.pop()
            if name in recorded and name not in seen:
                seen.add(name)
                todo += recorded[name]
            elif name not in seen:
                found.add(self.facts.source_of(name))
        return frozenset(found)


def _written(book: Rulebook, marks: Marks) -> Iterator[Written]:
    for rule in book.rules:
        role = "expr" if isinstance(rule, AlertRule) else "record"
        yield from _one(rule, role, rule.expr, marks.scalar(rule.place, "expr"))
    for remedy in book.remedies.values():
        for index, text in enumerate(remedy.unless):
            yield from _one(remedy, "unless", text, marks.scalar(remedy.place, "unless", index))
        for step in remedy.steps:
            if step.verify:
                yield from _one(
                    remedy, "verify", step.verify.expr, marks.scalar(step.place, "verify", "expr")
                )
        if remedy.worse_if:
            yield from _one(remedy, "worse_if", remedy.worse_if, marks.scalar(remedy.place, "worse_if"))


def _one(rule: Rule | Remedy, role: str, text: str, scalar: Scalar | None) -> Iterator[Written]:
    if not text:
        return  # the complaint about it is made
    try:
        yield Written(rule, role, compiled(text), scalar)
    except BadExpression:  # as written it is none; the loader has judged it with a word for each $label
        yield Written(rule, role, compiled(LABEL.sub(r"x\1", text)), scalar)
