"""`ottla control`: records as lines, and mistakes as sentences; on a real cluster tests/e2e tell the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click import unstyle
from click.testing import CliRunner
from scribe import Scribe

from agent.commands.control import control
from agent.commands.control_tail import line, told
from agent.commands.show import cleaned

CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:8778/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [d], logs: [s]}
"""


def last(log: Scribe) -> str:
    """The newest record as a line."""
    row = json.loads(json.dumps(told(log.state, log.last)))
    return unstyle(line(cleaned(row)))


def test_a_record_is_a_line_with_what_became_of_it() -> None:
    log = Scribe.born()
    assert "genesis   broker-1  accepted  {" in last(log)
    one = log.join("broker-1")
    claim = log.claimed(one, "quota")
    assert f"claim     broker-1  accepted  [claim {claim}: queued, claimed]" in last(log)
    assert f"[claim {claim}: queued → granted, room]" in last(log)
    log.release(one, claim, "done")
    assert "release   broker-1  void: no such move: done of a granted claim" in last(log)
    log.raw(b"\x1b[2J")
    assert last(log).endswith("-         -  void: not printable ASCII")
    assert last(log).lstrip().startswith(f"{log.state.offset}  ")


def test_a_long_body_is_cut_for_people_and_whole_for_programs() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.say(one, "beat", status="x" * 500, firing=[])
    assert last(log).endswith("…")
    assert told(log.state, log.last)["body"]["status"] == "x" * 500


def test_what_a_writer_puts_into_a_record_cannot_steer_the_terminal() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.say(one, "beat", status="\x1b[2J", firing=["\x1b[31m"])
    assert "\x1b" not in last(log)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("init", "--recreate"), 2, "say with --after OLD whose place the new one takes"),
        (("init", "--after", "x" * 65), 2, "that is no topic's id"),
        (("tail", "--from", "-1"), 2, "--from"),
        (("verfy",), 2, "did you mean 'verify'?"),
        (("status", "--config", "none.yml"), 1, "cannot be read"),
        (("status", "--config", "ottla.yml"), 3, "127.0.0.1:1"),
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
