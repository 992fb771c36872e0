"""What keeps a rule from being judged: it is cold, blind or failing, or what it reads is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.model import RuleHealth
from agent.promql import Expression, Store, finds, unmatched
from agent.promql.functions import ABOUT_ABSENCE
from agent.promql.nodes import Call, Node, Range, Selector, children
from agent.quantities import show_duration

Obstacle = tuple[RuleHealth, str]
NONE: Obstacle = (RuleHealth.OK, "")
SIGHTLESS = (RuleHealth.COLD, RuleHealth.BLIND)
SPOILING = (RuleHealth.FAILING, RuleHealth.STORM)  # a rule whose series are not to be used


def obstacle(
    expression: Expression,
    store: Store,
    now: int,
    since: int | None,
    down: frozenset[str],
    *,
    answered: bool = False,
) -> Obstacle:
    """What keeps an expression from being judged at `now`, and why; OK and nothing where it can be.

    `since` is when the store's data begin, None without any; `down` the names whose source is down.
    `answered`: its sources were asked for all of it, so that what has no sample now is absent now.
    """
    silent = sorted(expression.reads(down))
    if silent:
        return RuleHealth.FAILING, f"its source is down or not read yet: {', '.join(silent)}"
    if since is None:
        return RuleHealth.COLD, "no sample has come yet"
    if now - since < expression.history_ms:
        needs, has = show_duration(expression.history_ms), show_duration(max(0, now - since))
        return RuleHealth.COLD, f"it needs {needs} of samples and there are {has}"
    idle = [s for s in expression.selectors if not finds(s, store, now)]
    if not idle:
        return NONE  # as nearly always: no need to go through the expression
    open_yet = [s for s in idle if not (answered and s.newest)]
    awaited = [s for s in open_yet if now - since < s.window_ms + s.offset_ms]
    if awaited:
        return RuleHealth.COLD, f"nothing has matched {', '.join(dict.fromkeys(map(str, awaited)))} yet"
    missing = unmatched(expression.node, store, now)
    if missing:
        return RuleHealth.BLIND, f"nothing matches {', '.join(dict.fromkeys(map(str, missing)))}"
    return NONE


def inherited(writers: Mapping[str, Sequence[Obstacle]], absent: frozenset[str]) -> Obstacle:
    """What the recording rules of each name that an expression reads hand on to it.

    One that fails or storms spoils the series. Of those that see nothing one that is well is enough; an
    expression that asks only whether the series is absent (`absent`) waits for a cold one, and takes a blind
    one for an answer.
    """
    for name in sorted(writers):
        found = _inherited(name, writers[name], about_absence=name in absent)
        if found is not NONE:
            return found
    return NONE


def _inherited(name: str, found: Sequence[Obstacle], *, about_absence: bool) -> Obstacle:
    for health, why in found:
        if health in SPOILING:
            return RuleHealth.FAILING, f"{name}, which it reads, is {health}: {why}"
    if not found or any(health is RuleHealth.OK for health, _ in found):
        return NONE
    for health, why in found:
        if health is RuleHealth.COLD or not about_absence:
            return health, f"{name}, which it reads, is {health}: {why}"
    return NONE


def asked_absent(node: Node) -> frozenset[str]:
    """The names that an expression reads only to learn whether they are absent."""
    within, elsewhere = set[str](), set[str]()
    _sort_names(node, within, elsewhere)
    return frozenset(within - elsewhere)


def _sort_names(node: Node, within: set[str], elsewhere: set[str], *, absent: bool = False) -> None:
    selector = node.selector if isinstance(node, Range) else node
    if isinstance(selector, Selector) and selector.name is not None:
        (within if absent else elsewhere).add(selector.name)
    absent = absent or (isinstance(node, Call) and node.function in ABOUT_ABSENCE)
    for child in children(node):
        _sort_names(child, within, elsewhere, absent=absent)
