"""What a running agent has nothing of, asked over its own API."""

from __future__ import annotations

from pathlib import Path

import click

from agent.commands.reach import NobodyAnswers
from agent.rulebook import Rulebook
from agent.rulebook.compiled import compiled
from agent.rulebook.filling import LABEL
from agent.web.client import Agent, Rejected, Unreachable

_MOST = 2_000  # selectors; each is one request


def missing(address: Path | str, book: Rulebook) -> frozenset[str]:
    """The selectors of the alerts, as text, for which this agent keeps no series.

    Raises NobodyAnswers, or click's exceptions for a bad address and a refusal.
    """
    try:
        agent = Agent(address)
        return frozenset(s for s in sorted(_selectors(book))[:_MOST] if not _series(agent, s))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except Unreachable as error:
        raise NobodyAnswers(str(error)) from error
    except Rejected as error:
        raise click.ClickException(f"the agent does not say what it has: {error}") from error


def _series(agent: Agent, selector: str) -> bool:
    query: dict[str, str | int] = {"match[]": selector, "limit": 1}
    answer = agent.get("series", **query)
    return bool(answer["data"])


def _selectors(book: Rulebook) -> frozenset[str]:
    """But those that the labels of an alert complete."""
    texts = [rule.expr for rule in book.rules if rule.expr]
    found: set[str] = set()
    for text in texts:
        found.update(str(reach.selector) for reach in compiled(text).selectors)
    return frozenset(text for text in found if not LABEL.search(text))
