"""`ottla rules`: what rule authors ask."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from agent import actions
from agent.rulebook import BadRules, Complaint, Rulebook, load
from agent.yaml_marks import as_github, as_json, as_text

RULES = Path("/etc/ottla/rules")
_FORMATS: Mapping[str, Callable[[Iterable[Complaint]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
}


@click.group()
def rules() -> None:
    """Check the rules."""


@rules.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "-o",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    help="text for people, json for programs, github for a workflow's annotations.",
)
def check(paths: tuple[Path, ...], form: str) -> None:
    """Say everything that is wrong with the rules in PATH, folders or files [default: /etc/ottla/rules].

    Remedies may only name alerts that are among the paths. Exit code 0: nothing is wrong, 1: something is,
    2: the command was.
    """
    specs = {name: actions.spec(cls) for name, cls in actions.load().items()}
    try:
        book = load(paths or (RULES,), specs)
    except BadRules as bad:
        click.echo(_FORMATS[form](bad.complaints))
        if form == "text":
            click.echo(_count(len(bad.complaints), "problem"), err=True)
        sys.exit(1)
    click.echo(_summary(book) if form == "text" else _FORMATS[form](()))


def _summary(book: Rulebook) -> str:
    acting = sum(remedy.mode == "act" for remedy in book.remedies.values())
    counts = ", ".join(
        (
            _count(len(book.alerts), "alert"),
            f"{_count(len(book.remedies), 'remedy', 'remedies')} ({acting} may act)",
            _count(len(book.logs), "log pattern"),
        )
    )
    return f"{counts}: nothing is wrong"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
