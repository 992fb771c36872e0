"""The page for rule authors: what it shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from rule_files import SPECS

from agent.commands.rules import rules
from agent.lints import LINTS
from agent.rulebook import load
from agent.yaml_marks import Complaints, compose

TEN = Path(__file__).parent / "ten_mistakes"
PAGE = (Path(__file__).parents[1] / "docs/rules.md").read_text()
BLOCKS = re.findall(r"```yaml\n# (.*)\n([^`]*)```", PAGE)


def test_the_files_that_it_shows_load_together(tmp_path: Path) -> None:
    """Each example begins with the name of its file."""
    for name, text in BLOCKS:
        if name.endswith(".yml"):
            (tmp_path / name).write_text(text)
    book = load([tmp_path], SPECS)
    assert (len(book.alerts), len(book.remedies), len(book.logs)) == (1, 1, 1)


def test_every_other_example_is_called_a_fragment_and_is_yaml() -> None:
    """Nothing is shown that no test reads."""
    assert len(BLOCKS) == PAGE.count("```yaml")
    for name, text in BLOCKS:
        complaints = Complaints()
        assert name.endswith(".yml") or name.startswith("fragment of ")
        assert compose(name, text.encode(), complaints) is not None
        assert not complaints


def test_ten_different_mistakes_are_told_as_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole screen, to the last caret."""
    monkeypatch.chdir(TEN)
    shown = re.search(r"```text\n\$ ottla rules (check .*)\n([^`]*)```", PAGE)
    assert shown
    result = CliRunner().invoke(rules, shown[1].split())
    assert result.stdout + result.stderr == shown[2]
    assert result.exit_code == 1
    assert len(re.findall(r"^\S+\.yml:\d+:\d+: ", result.stdout, re.MULTILINE)) == 10


def test_every_lint_is_listed_with_its_page() -> None:
    """In the order in which they run."""
    assert re.findall(r"^\| \[([a-z-]+)\]\(rules/\1\.md\)", PAGE, re.MULTILINE) == [id_ for id_, _ in LINTS]
