"""The steps of all remedies, each with what its alert reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.lints.case import Case, Finding
from agent.model import ActionSpec, Place, Remedy, Step


@dataclass(frozen=True, slots=True)
class Rung:
    """One step that is an action. `signals`: the sources that its alert reads."""

    remedy: Remedy
    step: Step
    spec: ActionSpec
    signals: frozenset[str]
    place: Place

    @property
    def alert(self) -> str:
        """The alert's name."""
        return self.remedy.alert

    @property
    def do(self) -> str:
        """The action's name."""
        return self.step.do

    def finding(self, message: str, hint: str) -> Finding:
        """At the action's name."""
        return Finding(self.place, message, hint, len(self.do))


def steps(case: Case) -> Iterator[Rung]:
    """In the order of the files; the fewest signals where several alerts have the name."""
    for remedy in case.book.remedies.values():
        read = [case.sources(each.expression.names) for each in case.alerts_of(remedy)]
        for step in remedy.steps:
            spec = case.facts.actions.get(step.do)
            if spec:
                scalar = case.marks.scalar(step.place, "do")
                place = scalar.place if scalar else step.place
                yield Rung(remedy, step, spec, min(read, key=len, default=frozenset()), place)
