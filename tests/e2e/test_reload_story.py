"""Bad rules on a running agent: everything wrong is said at once, and the old ones stay in force."""

from __future__ import annotations

import os
import signal

import pytest
from scene import DRAIN, FULL, Scene, entries, until

from agent.lab.agents import Agent
from agent.model import Kind

pytestmark = pytest.mark.e2e
BAD_ALERTS = """groups:
  - name: disk
    rules:
      - alert: LogDirFillingUp
        expr: host_log_dir_used_ratio > > 0.85
        for: 1 minute
      - alert: Other
        expr: up == 0
        fro: 1m
"""
BAD_REMEDIES = """owner: test
owner: again
remedies:
  LogDirFilingUp:
    mode: act
    target: path
    steps:
      - do: drain_dsk
        with: {log_dir: $path}
"""
PROBLEMS = (
    ("alerts.yml:5:41", "> stands where a metric, a number or ( is expected"),
    ("alerts.yml:6:", "1 minute"),
    ("alerts.yml:9:", "did you mean 'for'"),
    ("remedies.yml:2:", "owner"),
    ("remedies.yml:4:", "did you mean 'LogDirFillingUp'"),
    ("remedies.yml:8:", "did you mean 'drain_disk'"),
)


def said(agent: Agent, words: str) -> int:
    """How often its journal says so of its own life."""
    return sum(1 for e in entries(agent) if e.kind is Kind.AGENT and words in e.reason)


async def test_a_running_agent_keeps_its_old_rules(scene: Scene) -> None:
    """By `ottla reload` and by SIGHUP alike; good rules are taken then."""
    scene.write_rules(FULL, DRAIN.format(rate="50MiB/s"))
    agent = await scene.agent(1)
    before = scene.asked(agent, "status")["rules"]["digest"]
    scene.write_rules(BAD_ALERTS, BAD_REMEDIES)

    told = scene.ottla("reload", "--socket", str(agent.socket))

    assert told.returncode == 1
    for place, words in PROBLEMS:
        lines = [line for line in (told.stdout + told.stderr).splitlines() if place in line]
        assert lines, f"{place} is not among:\n{told.stdout}{told.stderr}"
        assert any(words in line for line in lines), lines
    assert scene.asked(agent, "status")["rules"]["digest"] == before

    pid = agent.pid
    assert pid is not None
    os.kill(pid, signal.SIGHUP)
    await until(
        "the refusal of the rules to be told", lambda: said(agent, "refused (SIGHUP)") == 1, 20, agent
    )
    assert scene.asked(agent, "status")["rules"]["digest"] == before

    scene.write_rules(FULL.replace("0.85", "0.86"), DRAIN.format(rate="50MiB/s"))
    assert scene.ottla("reload", "--socket", str(agent.socket)).returncode == 0
    assert scene.asked(agent, "status")["rules"]["digest"] != before


async def test_a_changed_file_is_taken_by_itself(scene: Scene) -> None:
    """Good ones, bad ones which keep them, good ones again; each told once, and a dry run before."""
    scene.write_rules(FULL, DRAIN.format(rate="50MiB/s"))
    agent = await scene.agent(1)
    socket = ("--socket", str(agent.socket))
    before = scene.asked(agent, "status")["rules"]["digest"]

    scene.write_rules(FULL.replace("0.85", "0.86"), DRAIN.format(rate="40MiB/s").replace("act", "observe"))
    told = scene.ottla("reload", "--dry-run", *socket)
    lines = [line.strip() for line in told.stdout.splitlines()]
    assert "expr: host_log_dir_used_ratio > 0.85 → host_log_dir_used_ratio > 0.86" in lines, told.stdout
    assert "mode: act → observe" in lines, told.stdout
    await until("the changed rules to be taken", lambda: said(agent, "(the files changed)") == 1, 20, agent)
    taken = scene.asked(agent, "status")["rules"]["digest"]
    assert taken != before

    scene.write_rules(BAD_ALERTS, BAD_REMEDIES)
    refused = "rules refused (the files changed)"
    await until("the bad rules to be refused", lambda: said(agent, refused) == 1, 20, agent)
    status = scene.asked(agent, "status")["rules"]
    assert (status["digest"], status["reload"]["ok"]) == (taken, False)
    assert "older ones are in force" in scene.ottla("why", "LogDirFillingUp", *socket).stdout

    scene.write_rules(FULL, DRAIN.format(rate="50MiB/s"))
    await until("the old rules to be taken again", lambda: said(agent, "(the files changed)") == 3, 20, agent)
    assert scene.asked(agent, "status")["rules"]["digest"] == before
    assert said(agent, refused) == 1
