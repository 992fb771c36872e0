"""Files written as public ones are, with every construct that those were found to have, load as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from rule_files import SPECS, complaints

from agent.rulebook import load

FILES = Path(__file__).parent / "public_style"
CRD = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: x}
spec:
  groups:
    - name: g
      rules:
        - {alert: A, expr: up > > 0}
"""


@pytest.mark.parametrize(
    ("name", "alerts", "records"), [("mixin.yml", 6, 0), ("operator.yml", 9, 0), ("stack.yml", 7, 1)]
)
def test_a_file_in_a_public_style_loads(name: str, alerts: int, records: int) -> None:
    """Given by its own name, as `ottla rules check FILE` takes it."""
    book = load([FILES / name], SPECS)

    assert (len(book.alerts), len(book.records)) == (alerts, records)


def test_all_of_them_load_together_from_a_folder(tmp_path: Path) -> None:
    """Where the same alert stands in several groups and files."""
    for file in FILES.glob("*.yml"):
        (tmp_path / file.stem).mkdir()
        (tmp_path / file.stem / "alerts.yml").write_bytes(file.read_bytes())

    assert len(load([tmp_path], SPECS).rules) == 23


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("", "", ["alerts.yml:8:33: expr: "]),
        (
            "kind: PrometheusRule",
            "kind: ServiceMonitor",
            ["alerts.yml:2:7: kind: expected one of PrometheusRule"],
        ),
        (
            "spec:",
            "spce:",
            ["alerts.yml:1:1: a rule file has no 'spec'", "alerts.yml:4:1: unknown key 'spce'"],
        ),
        ("  groups:", "  grops:", ["alerts.yml:5:3: unknown key 'grops' in `spec`; did you mean 'groups'?"]),
    ],
    ids=["an expression", "another kind", "no spec", "a key in the spec"],
)
def test_a_mistake_in_a_custom_resource_has_its_place(
    tmp_path: Path, was: str, becomes: str, said: list[str]
) -> None:
    """In the file as it stands, not in what it holds."""
    (tmp_path / "alerts.yml").write_text(CRD.replace(was, becomes) if was else CRD)

    found = complaints(tmp_path)

    assert [any(each.startswith(words) for each in found) for words in said] == [True] * len(said), found


def test_what_is_the_operators_word_is_unknown_in_a_plain_file(tmp_path: Path) -> None:
    """promtool refuses it there."""
    (tmp_path / "alerts.yml").write_text("groups: [{name: g, partial_response_strategy: warn, rules: []}]")

    assert "unknown key 'partial_response_strategy'" in complaints(tmp_path)[0]
