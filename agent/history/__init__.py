"""Entries folded to incidents by a transition table: the only state that decides, live or replayed."""

from agent.history.folding import History, fold, replay
from agent.history.incident import ANSWERS, Answer, Incident, same_step
from agent.history.phases import STANDING, TRANSITIONS, VERDICTS, ImpossibleTransition, Phase

__all__ = [
    "ANSWERS",
    "STANDING",
    "TRANSITIONS",
    "VERDICTS",
    "Answer",
    "History",
    "ImpossibleTransition",
    "Incident",
    "Phase",
    "fold",
    "replay",
    "same_step",
]
