"""no-comparison: an expression that has a result whenever its series exist."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.lints.shapes import comparisons, filters

_THEN = {
    "expr": "the alert fires as soon as its series exist",
    "unless": "nothing is ever done",
    "verify": "every action counts as help",
    "worse_if": "every action is undone at once",
}


def no_comparison(case: Case) -> Iterator[Finding]:
    """Nothing in the expression can make its result empty: no comparison, no and, unless or absent()."""
    for each in case.written:
        if each.role in _THEN and not filters(each.node):
            as_bool = any(node.as_bool for node in comparisons(each.node))
            hint = "without `bool` a comparison filters" if as_bool else "compare it, as in `... > 0`"
            yield each.finding(f"nothing filters this: {_THEN[each.role]}", hint)
