"""The recording rules, and what they hand on to those who read what they record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from agent.alerts.obstacles import NONE, SIGHTLESS, SPOILING, Obstacle, asked_absent, inherited
from agent.alerts.rule_state import RuleState
from agent.model import RecordRule, RuleHealth
from agent.promql import Expression


class Writers:
    """Of these rules those that record; `names`: what they write."""

    def __init__(self, rules: Iterable[RuleState]) -> None:
        self._of: Mapping[str, list[RuleState]] = defaultdict(list)
        for state in rules:
            if isinstance(state.rule, RecordRule):
                self._of[state.rule.name].append(state)
        self.names = frozenset(self._of)

    def feeding(self, expression: Expression) -> frozenset[str]:
        """The names that they write and it may read. One by patterns is compared with each of them."""
        return expression.reads(self.names)

    def are_well(self, name: str) -> bool:
        """Whether all that write this were judged well by their last findings."""
        return name not in self.names or all(state.health is RuleHealth.OK for state in self._of[name])

    def handed_to(self, state: RuleState) -> tuple[Obstacle, bool]:
        """What those hand on that write what this one reads; and whether these find nothing."""
        writers = self._handed_on(state.expression, state.fed_by, state)
        found = inherited(writers, state.asks_absent) if writers else NONE
        return found, found[0] in SIGHTLESS and any(
            all(writer.gone for writer in self._of[name] if writer is not state)
            for name in (state.expression.names & writers.keys()) - state.asks_absent
        )

    def obstacles(self, expression: Expression) -> Iterator[Obstacle]:
        """What is handed on to an expression that is no rule's, by name."""
        absent = asked_absent(expression.node)
        handed_on = self._handed_on(expression, self.feeding(expression))
        return (inherited({name: each}, absent) for name, each in sorted(handed_on.items()))

    def _handed_on(
        self, expression: Expression, fed_by: frozenset[str], reader: RuleState | None = None
    ) -> dict[str, list[Obstacle]]:
        found = {n: [each.obstacle for each in self._of[n] if each is not reader] for n in fed_by}
        for name in fed_by - expression.names:  # one that a pattern matches may have nothing to tell
            found[name] = [each for each in found[name] if each[0] in SPOILING]
        return found
