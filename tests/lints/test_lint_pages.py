"""docs/rules/: a page a lint; its bad example raises just that lint at that place, its good one none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands.rules import rules
from agent.lints import LINTS

FOLDER = Path(__file__).parents[2] / "docs" / "rules"
IDS = [id_ for id_, _ in LINTS]


def run(page: str, heading: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """`ottla rules check` on the files shown beneath a heading."""
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    files = re.findall(r"```yaml\n# (\w+\.yml)\n(.*?)```", part, re.DOTALL)
    assert files
    for name, text in files:
        (folder / name).write_text(f"# {name}\n{text}")
    monkeypatch.chdir(folder)
    return CliRunner().invoke(rules, ["check", *sorted(name for name, _ in files)])


def test_every_lint_has_a_page_and_every_page_a_lint() -> None:
    """The id in brackets is the page's name."""
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == sorted(IDS)


@pytest.mark.parametrize("id_", IDS)
def test_the_bad_example_raises_what_the_page_shows(
    id_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That lint and no other, at that place."""
    page = (FOLDER / f"{id_}.md").read_text()
    result = run(page, "Bad", tmp_path, monkeypatch)
    shown = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert result.stdout.startswith(shown[0])
    assert set(re.findall(r"\[([a-z-]+)\]$", result.stdout, re.MULTILINE)) == {id_}
    assert result.exit_code == 0


@pytest.mark.parametrize("id_", IDS)
def test_the_good_example_raises_nothing(id_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other lint either."""
    result = run((FOLDER / f"{id_}.md").read_text(), "Good", tmp_path, monkeypatch)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("id_", IDS)
def test_each_page_says_why_and_how_to_keep_it(id_: str) -> None:
    """What, why, and the comment that switches it off."""
    page = (FOLDER / f"{id_}.md").read_text()
    assert page.startswith(f"# {id_}\n")
    assert f"# ottla: allow {id_}: <reason>" in page
    assert len(page.partition("## Bad")[0]) > 200
