"""Recording rules that outlive a reload, since what has begun is judged by what they record."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from agent.model import RecordRule
from agent.rulebook.compiled import compiled
from agent.rulebook.load import Rulebook


def with_records(book: Rulebook, former: Rulebook, texts: Iterable[str]) -> Rulebook:
    """These rules, and those of the former ones that record what these expressions rest on, and that no rule
    records any more."""
    recorded = {rule.name for rule in book.records}
    lost = [rule for rule in former.records if rule.name not in recorded]
    names = frozenset[str]().union(*(compiled(text).names for text in texts))
    while more := _read(lost, names) - names:
        names |= more
    return replace(book, rules=(*book.rules, *(rule for rule in lost if rule.name in names)))


def _read(rules: Iterable[RecordRule], names: frozenset[str]) -> frozenset[str]:
    """What those rules read that record one of these names."""
    return frozenset[str]().union(*(compiled(rule.expr).names for rule in rules if rule.name in names))
