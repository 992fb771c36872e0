"""`ottla control`: mistakes are sentences; tests/e2e/test_fleet_story.py tells the rest on a real cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.commands.control import control

CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:8778/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [d], logs: [s]}
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("init", "--recreate"), 2, "say with --after OLD whose place the new one takes"),
        (("init", "--after", "x" * 65), 2, "that is no topic's id"),
        (("tail", "--from", "-1"), 2, "--from"),
        (("verfy",), 2, "did you mean 'verify'?"),
        (("status", "--config", "none.yml"), 1, "cannot be read"),
        (("status", "--config", "ottla.yml"), 3, "127.0.0.1:1"),
        (("status", "--from-start", "--config", "ottla.yml"), 3, "127.0.0.1:1"),
        (("verify", "--from-snapshot", "--config", "ottla.yml"), 3, "127.0.0.1:1"),
        (("tail", "--from-start", "--config", "ottla.yml"), 3, "127.0.0.1:1"),
    ],
)
def test_a_mistake_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agent.commands.control_reach.DEADLINE_S", 1)
    (tmp_path / "ottla.yml").write_text(CONFIG)
    ran = CliRunner().invoke(control, words, standalone_mode=True)
    assert ran.exit_code == code, ran.output
    assert said in " ".join(ran.output.split())
