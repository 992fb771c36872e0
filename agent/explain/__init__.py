"""A rule in words: what it reads, when it fires, what is done then, and what would refuse it."""

from agent.explain.rule import explain
from agent.explain.words import as_words

__all__ = ["as_words", "explain"]
