"""Rules as text to what lints say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rule_files import SPECS

from agent.commands.rule_facts import facts
from agent.lints import judge
from agent.model import ActionSpec
from agent.rulebook import read
from agent.yaml_marks import Complaint

RUNBOOK = "        annotations: {runbook_url: x}\n"


def alert(expr: str, name: str = "A", rest: str = RUNBOOK) -> str:
    """An alerts.yml with one rule."""
    shown = expr.replace("'", "''")
    return f"groups:\n  - name: g\n    rules:\n      - alert: {name}\n        expr: '{shown}'\n{rest}"


def remedy(do: str, verify: str, rest: str = "", name: str = "A") -> str:
    """A remedies.yml with one step; `do` may have arguments: `drain_disk {log_dir: ...}`."""
    action, _, given = do.partition(" ")
    shown, given = verify.replace("'", "''"), given or "{}"
    return (
        f"owner: sre\nremedies:\n  {name}:\n{rest}    steps:\n      - do: {action}\n        with: {given}\n"
        f"        verify: {{expr: '{shown}', within: 1h}}\n"
    )


def lint(
    folder: Path,
    files: Mapping[str, str],
    specs: Mapping[str, ActionSpec] = SPECS,
    missing: frozenset[str] = frozenset(),
) -> list[Complaint]:
    """What lints find in `alerts`, `remedies` and `logs`; the files have no errors."""
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    reading = read([folder], specs)
    assert not reading.complaints, reading.complaints.sorted()
    known = replace(facts(reading.book, missing), actions=specs)
    for complaint in judge(reading.book, reading.marks, known):
        reading.complaints.take(complaint)
    return list(reading.complaints.sorted())


def ids(folder: Path, **files: str) -> list[str]:
    """The ids alone, with a `?` where it is but a note."""
    return [c.lint + ("?" if c.severity == "note" else "") for c in lint(folder, files)]
