"""The labels that a remedy names: without one nobody can say which patient is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from agent.model import Decision, Remedy, Step
from agent.rulebook.filling import LABEL, placed

_QUOTES = "\"'`"


class Needed(Struct, frozen=True):
    """A label; `key`: what a person finds it by in the file; `within`: a text stands before it."""

    key: str
    name: str
    within: bool = False


def needed(remedy: Remedy, steps: Sequence[Step]) -> Iterator[Needed]:
    """Each label that the remedy names for these steps."""
    if remedy.target != "alertname":
        yield Needed("target", remedy.target)
    for step in steps:
        for _, value in step.args:
            if isinstance(value, str) and (match := LABEL.fullmatch(value)):
                yield Needed(match[0], match[1])
    checks = (step.verify.expr for step in steps if step.verify)
    for text in (*checks, *remedy.unless, remedy.worse_if or ""):
        for match in placed(text):
            yield Needed(match[0], match[1], text[match.start() - 1] not in _QUOTES)


def lacking(decision: Decision, remedy: Remedy) -> Needed | None:
    """The first one that this rung needs and its alert has not, or has empty, as a misspelt one."""
    has = {name for name, value in decision.labels if value}
    rung = remedy.steps[decision.step :][:1]
    return next((each for each in needed(remedy, rung) if each.name not in has), None)
