"""The page about testing rules: its examples run, its failing one fails as shown, its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands.rules import rules
from agent.rehearsal.cluster import CALLS

PAGE = (Path(__file__).parents[1] / "docs/testing-rules.md").read_text()
FILES = dict(re.findall(r"```yaml\n# (\S+\.yml)\n([^`]*)```", PAGE))


@pytest.fixture(autouse=True)
def _in_a_folder_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(FILES) == PAGE.count("```yaml")
    for name, text in FILES.items():  # with the line that names it: places in the page stay right
        (tmp_path / name).write_text(f"# {name}\n{text}")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    """The command."""
    return CliRunner().invoke(rules, ["test", *arguments])


@pytest.mark.parametrize("name", ["disk_test.yml", "remedies_test.yml"])
def test_the_examples_pass(name: str) -> None:
    result = run(name)
    assert result.exit_code == 0, result.output


def test_the_failing_example_fails_as_shown() -> None:
    shown = re.search(r"```text\n\$ ottla rules test (\S+)\n([^`]*)```", PAGE)
    assert shown
    result = run(shown[1])
    assert re.sub(r"\d+\.\d s", "0.1 s", result.stdout) == shown[2]
    assert result.exit_code == 1


def test_the_keys_of_the_table_are_those_that_are_read(tmp_path: Path) -> None:
    """An unknown key's complaint lists the known ones."""
    for table, place in (("key of a story", ""), ("key of `world` and of an event", "    world: {x: 1}\n")):
        rows = PAGE.partition(f"| {table} ")[2].split("\n\n")[0]
        keys = re.findall(r"^\| (`[^|]*) \|", rows, re.MULTILINE)
        named = set(re.findall(r"`(\w+)`", "".join(keys)))
        Path("keys_test.yml").write_text(f"remedy_tests:\n  - name: a\n    left: []\n{place or '    x: 1'}")
        known = re.search(r"known keys: (.*)", run("keys_test.yml").stderr)
        assert known
        assert named == set(known[1].split(", "))


def test_the_calls_are_named() -> None:
    named = re.search(r"Calls: ([\w, ]+) \|", PAGE)
    assert named
    assert set(named[1].split(", ")) == CALLS
