"""The labels that a remedy names: without one nobody can say which patient is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.gate.scene import Scene
from agent.model import Remedy, Step
from agent.rulebook.filling import LABEL, placed


def labelled(scene: Scene) -> str | None:
    """2: a label that this rung needs and the alert has not, or has empty, as a misspelt one."""
    if not scene.given:
        return None  # the remedy is another one now, and the next question says so
    has = {name for name, value in scene.decision.labels if value}
    rung = scene.remedy.steps[scene.decision.step :][:1]
    return next((_lacks(key, name) for key, name in named(scene.remedy, rung) if name not in has), None)


def named(remedy: Remedy, steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """Each label that the remedy names for these steps, behind what a person finds it by in the file."""
    if remedy.target != "alertname":
        yield "target", remedy.target
    for step in steps:
        for _, value in step.args:
            if isinstance(value, str) and (match := LABEL.fullmatch(value)):
                yield match[0], match[1]
    checks = (step.verify.expr for step in steps if step.verify)
    for text in (*checks, *remedy.unless, remedy.worse_if or ""):
        yield from ((match[0], match[1]) for match in placed(text))


def _lacks(key: str, name: str) -> str:
    return f"{key}: the alert has no label {name}"
