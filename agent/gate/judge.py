"""The order of the questions: before the claim and again at the instant of effect, and which are asked once
more before each further effect. The order is policy."""

from __future__ import annotations

from collections.abc import Callable

from agent.gate.approval import APPROVAL, approved
from agent.gate.labels import labelled
from agent.gate.questions import (
    breaker,
    claimable,
    coexistence,
    cooldown,
    corroborated,
    healthy_elsewhere,
    inputs,
    mode,
    not_everybody,
    one_at_a_time,
    paused,
    rates,
    stopped,
    storm,
    unless,
)
from agent.gate.scene import Around, Scene
from agent.model import Refusal

Question = Callable[[Scene], str | None]

QUESTIONS: tuple[tuple[str, Question], ...] = (
    ("stop file", stopped),
    ("pause", paused),
    ("labels", labelled),
    ("mode", mode),
    ("inputs", inputs),
    ("corroboration", corroborated),
    ("not everybody", not_everybody),
    ("storm", storm),
    ("one at a time", one_at_a_time),
    ("cooldown", cooldown),
    ("rates", rates),
    ("breaker", breaker),
    ("coexistence", coexistence),
    ("unless", unless),
    ("healthy elsewhere", healthy_elsewhere),
    ("control topic", claimable),
    (APPROVAL, approved),
)
AGAIN: tuple[tuple[str, Callable[[Around], str | None]], ...] = (
    ("stop file", stopped),
    ("pause", paused),
    ("not everybody", not_everybody),
    ("coexistence", coexistence),
    ("healthy elsewhere", healthy_elsewhere),
)


def judge(scene: Scene) -> Refusal | None:
    """The first objection, or None."""
    for name, question in QUESTIONS:
        reason = question(scene)
        if reason is not None:
            return Refusal(name, reason)
    return scene.plan if isinstance(scene.plan, Refusal) else None


def judge_on(around: Around) -> Refusal | None:
    """The first objection to one more effect of an action that has begun. What concerns its beginning was
    asked then: to stop half-way since a source is silent for a moment would harm more than it helps. One that
    objects only that the cluster is NOT_KNOWN is to be asked again."""
    return next((Refusal(name, why) for name, ask in AGAIN if (why := ask(around)) is not None), None)
