"""Random texts of a grammar, and smaller ones of a text that showed a fault."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Grammar = Mapping[str, Sequence[str]]  # symbol: what it may be, with other symbols as <symbol>
_SYMBOL = re.compile("<([a-z]+)>")


@dataclass(frozen=True)
class Tree:
    """What a symbol became: text and, in odd places, other trees."""

    symbol: str
    parts: tuple[str | Tree, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def within(self) -> Iterator[Tree]:
        """All trees inside."""
        for part in self.parts[1::2]:
            assert isinstance(part, Tree)
            yield part
            yield from part.within()


def derive(grammar: Grammar, symbol: str, chance: random.Random, depth: int) -> Tree:
    """A random tree; from `depth` levels on only what recursive symbols list under `<symbol>.leaf`."""
    alternatives = grammar[f"{symbol}.leaf" if depth <= 0 and f"{symbol}.leaf" in grammar else symbol]
    pieces = _SYMBOL.split(chance.choice(alternatives))
    return Tree(
        symbol,
        tuple(derive(grammar, p, chance, depth - 1) if i % 2 else p for i, p in enumerate(pieces)),
    )


def smaller(tree: Tree, grammar: Grammar) -> Iterator[Tree]:
    """Shorter trees of the same symbol: a part in place of the whole, or a part made smaller."""
    yield from (inner for inner in tree.within() if inner.symbol == tree.symbol)
    shortest = min(grammar.get(f"{tree.symbol}.leaf", grammar[tree.symbol]), key=len)
    if not _SYMBOL.search(shortest) and len(shortest) < len(str(tree)):
        yield Tree(tree.symbol, (shortest,))
    for i, part in enumerate(tree.parts):
        if isinstance(part, Tree):
            for replaced in smaller(part, grammar):
                yield Tree(tree.symbol, (*tree.parts[:i], replaced, *tree.parts[i + 1 :]))


def smallest(tree: Tree, grammar: Grammar, fails: Callable[[Tree], bool], tries: int = 500) -> Tree:
    """The smallest tree found that still fails, each step the first smaller one that does."""
    candidates = smaller(tree, grammar)
    for _ in range(tries):
        candidate = next(candidates, None)
        if candidate is None:
            break
        if fails(candidate):
            tree, candidates = candidate, smaller(candidate, grammar)
    return tree
