"""The labels that a remedy names, before anything else that concerns its alert."""

from __future__ import annotations

from agent.gate.scene import Scene
from agent.rulebook.needed_labels import lacking

_LITERAL = r"; a $ that is meant as such is written \x24, in a pattern [$]"


def labelled(scene: Scene) -> str | None:
    """2: a label that this rung needs and the alert has not."""
    if not scene.given:
        return None  # the remedy is another one now, and the next question says so
    lacks = lacking(scene.decision, scene.remedy)
    if lacks is None:
        return None
    return f"{lacks.key}: the alert has no label {lacks.name}{_LITERAL if lacks.within else ''}"
