"""The gate: every action must pass its questions, before the claim and again at the instant of effect."""

from agent.gate.approval import APPROVAL, APPROVED_MS, ASKED_MS
from agent.gate.judge import AGAIN, QUESTIONS, judge, judge_on
from agent.gate.questions import NOT_KNOWN, mode, open_breaker, still_looks, stop_file
from agent.gate.scene import Around, Scene, World

__all__ = [
    "AGAIN",
    "APPROVAL",
    "APPROVED_MS",
    "ASKED_MS",
    "NOT_KNOWN",
    "QUESTIONS",
    "Around",
    "Scene",
    "World",
    "judge",
    "judge_on",
    "mode",
    "open_breaker",
    "still_looks",
    "stop_file",
]
