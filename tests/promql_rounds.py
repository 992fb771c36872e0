"""Rounds of random questions on random samples, asked of our engine and of a real Prometheus."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from derivation import Tree, derive, smallest
from prometheus_server import Server
from promql_answers import Question, Reply, difference, ours, theirs
from promql_grammar import GRAMMAR, pinned
from promql_samples import Data, random_data

from agent.series import Series

_FIRST = 946_684_800_500  # the year 2000, half a second after an hour
_APART = 6 * 3_600_000  # more than any expression reaches back
_DEPTH = 4


@dataclass(frozen=True)
class Case:
    """An expression, and when it is asked: seconds after the samples' moment; with a step over a range."""

    tree: Tree
    start: int = 0
    end: int = 0
    step: int = 0

    def question(self, moment: int) -> Question:
        """The question about samples of this moment (ms)."""
        text = pinned(str(self.tree), moment)
        return Question(text, moment + 1000 * self.start, moment + 1000 * self.end, 1000 * self.step)


@dataclass(frozen=True)
class Finding:
    """A question that the two answer differently, and the samples, both as small as they could be made."""

    case: Case
    data: Data
    words: str

    def __str__(self) -> str:
        case = self.case
        when = f"from {case.start} to {case.end} by {case.step}" if case.step else f"at {case.start}"
        return f"{case.tree}\n{when}: ours, then theirs:\n{self.words}\n{self.data}"


class Rounds:
    """Each round has samples of its own, so far after the last ones' that no question sees both."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._round = 0
        self.asked = 0
        self.refused = 0
        self.empty = 0

    def run(self, seed: int, instants: int, ranges: int) -> Finding | None:
        """The first difference of a round, if there is one."""
        chance = random.Random(seed)
        made = random_data(0, seed, chance.choice([12, 40, 60]), wild=chance.random() < 0.4)
        data, store = self._load(made)
        for number in range(instants + ranges):
            case = _case(chance, ranged=number >= instants)
            if self._differs(case, data, store, count=True):
                return self._small(case, data, store)
        return None

    def _load(self, data: Data) -> tuple[Data, Series]:
        """The data, moved to a moment of its own, in both places."""
        self._round += 1
        data = data.moved(_FIRST + self._round * _APART)
        self._server.write(data.columns())
        return data, data.store()

    def _differs(self, case: Case, data: Data, store: Series, *, count: bool = False) -> str:
        question = case.question(data.moment)
        mine, real = ours(question, store), theirs(question, self._server)
        if count:
            self.asked += 1
            self.refused += bool(real.error)
            self.empty += real.lines == {}
        return "" if _by_design(question.text, mine, real) else difference(mine, real)

    def _small(self, case: Case, data: Data, store: Series) -> Finding:
        tree = smallest(case.tree, GRAMMAR, lambda t: bool(self._differs(replace(case, tree=t), data, store)))
        case = replace(case, tree=tree)
        words = self._differs(case, data, store)
        for key in list(data.series):
            less, its_store = self._load(data.without(key))
            found = self._differs(case, less, its_store)
            if found:
                data, words = less, found
        return Finding(case, data, words)


def _case(chance: random.Random, *, ranged: bool) -> Case:
    tree = derive(GRAMMAR, "expression", chance, _DEPTH)
    if not ranged:
        return Case(tree, chance.choice([0, 0, -33, 60]))
    start, step = chance.choice([-300, -61, 0]), chance.choice([5, 15, 40])
    return Case(tree, start, start + step * chance.choice([0, 3, 11]), step)


def _by_design(text: str, mine: Reply, real: Reply) -> bool:
    """Whether ours is as in Prometheus 3.14 with its delayed removal of names, which 2.42 is without."""
    if "label_" in text and ":" in text:  # 2.42 joins what they make alike at different steps of a subquery
        return True
    ambiguous = "multiple matches for labels"
    if mine.error:  # looked for before the comparison has filtered
        return mine.error.startswith(ambiguous) and not real.error
    return "same labelset" in real.error or ambiguous in real.error  # names are dropped last of all
