"""Commands shown in the docs exist, with their options; what the pages name is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from test_architecture import LAYERS

from agent.cli import cli
from agent.lab import faults

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
LINES = [
    pytest.param(line.strip(), id=f"{page.name}: {line.strip()}")
    for page in PAGES
    for line in page.read_text().splitlines()
    if re.match(r"(?: {4})?ottla [a-z]", line)
]


def parsed(line: str) -> click.Context:
    """The context of a command line, its options and arguments checked and nothing run."""
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        if command.invoke_without_command and (not words or words[0].startswith("-")):
            return command.make_context(command.name, words, parent=context.parent)
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        if not isinstance(command, click.Group):
            return command.make_context(name, words, parent=context)
        context = click.Context(command, parent=context)
    return context


@pytest.mark.parametrize("line", LINES)
def test_each_command_shown_is_one(line: str) -> None:
    """Its name, its options and its arguments are what the command takes."""
    try:
        parsed(line)
    except click.exceptions.Exit as ended:
        assert ended.exit_code == 0, "only --help ends here"  # noqa: PT017  click says so by an exception


def test_a_wrong_option_would_be_found() -> None:
    """The test above means something."""
    with pytest.raises(click.NoSuchOption):
        parsed("ottla lab up --everything")
    assert len(LINES) > 15


def test_the_lab_page_names_every_fault() -> None:
    """And no other."""
    page = (ROOT / "docs" / "lab.md").read_text()
    assert set(re.findall(r"^\* `([a-z-]+)`:", page, re.MULTILINE)) == set(faults.load())


def test_the_code_map_names_every_part() -> None:
    """ARCHITECTURE.md and the layers test say the same."""
    rows = [line for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if line.startswith("| ")]
    named = set(re.findall(r"`([a-z_]+)`", "".join(row.split("|")[2] for row in rows)))
    assert named == set(LAYERS)


def test_the_tests_that_the_architecture_names_exist() -> None:
    """An invariant without its test is a wish."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for file, test in re.findall(r"`(tests/[a-z_/0-9]+\.py)(?:::(\w+))?`", text):
        assert (ROOT / file).exists(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(), test
