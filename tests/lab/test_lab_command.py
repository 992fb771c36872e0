"""`ottla lab`: every mistake is one sentence, and help is everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands.lab import lab
from agent.lab import faults


def call(*arguments: str) -> Result:
    """What the command prints."""
    return CliRunner().invoke(lab, arguments, env={"OTTLA_LAB": None})


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["load"],
        ["break", "kill-broker"],
        ["break", "fill-disk", "--until", "90%"],
        ["heal", "pause-broker", "--broker", "1"],
    ],
)
def test_without_a_lab_it_says_how_to_have_one(tmp_path: Path, arguments: list[str]) -> None:
    """One sentence, the command that mends it, exit code 1."""
    result = call(*arguments, "--state", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: there is no lab in ")
    assert f"ottla lab up --state {tmp_path / 'none'}" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["load", "--rate", "fast"], "write it like 100/s"),
        (["load", "--rate", "0/s"], "out of range"),
        (["break", "fill-disk", "--until", "90"], "between 0 and 1"),
        (["break", "fil-disk"], "No such command"),
        (["up", "--brokers", "0"], "range"),
    ],
)
def test_a_command_written_wrongly_is_explained(arguments: list[str], says: str) -> None:
    """Exit code 2."""
    result = call(*arguments)
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    "arguments",
    [[], ["up"], ["down"], ["status"], ["faults"], ["break"], ["heal"], ["load"], ["break", "fill-disk"]],
)
def test_help_is_everywhere(arguments: list[str]) -> None:
    """With something to say."""
    result = call(*arguments, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_each_fault_is_listed_with_its_manual_and_options() -> None:
    """As text, and as data."""
    known = {"fill-disk", "freeze-disk", "kill-broker", "pause-broker", "leftover-throttle"}
    data = json.loads(call("faults", "-o", "json").output)
    assert known <= {one["name"] for one in data}
    assert next(one for one in data if one["name"] == "fill-disk")["options"] == {"until": 0.88}
    text = call("faults").output
    assert all(name in text for name in known)


@pytest.mark.parametrize("fault", faults.load().values(), ids=lambda fault: str(fault.name))
def test_a_fault_has_a_manual_that_says_what_heal_does(fault: faults.Fault) -> None:
    """Its first sentence is the summary; both commands exist."""
    assert fault.summary.endswith(".")
    assert "heal" in fault.manual
    assert fault.name in call("break", "--help").output
    assert fault.name in call("heal", "--help").output
