"""The real promtool takes every rule file of ours as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from debian_prometheus import program

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*(ROOT / "rules").rglob("alerts.yml"), *(ROOT / "agent").rglob("alerts.yml")])
STYLES = ROOT / "tests" / "rulebook" / "public_style"


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    """`promtool check rules`."""
    command = [program("promtool"), "check", "rules", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_there_are_rules_to_check() -> None:
    """The folders may move."""
    assert {file.parent.parent.name for file in SHIPPED} == {"rules"}
    assert len(SHIPPED) >= 4


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(ROOT)))
def test_promtool_takes_each_shipped_rule_file(file: Path) -> None:
    """Those of the demo too."""
    done = checked(file)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.parametrize("name", ["mixin.yml", "operator.yml", "stack.yml"])
def test_promtool_takes_the_public_styles_that_our_loader_takes(name: str, tmp_path: Path) -> None:
    """Of a custom resource the `spec`, without Thanos's key; and without a slip that a public file has.

    Prometheus refuses a rule file for a wrong variable in a text; ours keeps the text as it is.
    """
    tree = yaml.safe_load((STYLES / name).read_text().replace("$label.", "$labels."))
    tree = tree.get("spec", tree)
    for group in tree["groups"]:
        group.pop("partial_response_strategy", None)
    (tmp_path / name).write_text(yaml.safe_dump(tree))

    done = checked(tmp_path / name)

    assert done.returncode == 0, done.stdout + done.stderr
