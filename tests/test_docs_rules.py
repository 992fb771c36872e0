"""The page for rule authors: what it shows works."""

from __future__ import annotations

import re
from pathlib import Path

from rule_files import SPECS

from agent.rulebook import load
from agent.yaml_marks import Complaints, compose

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
