"""Who takes part: two agents with one identity, and an old release among new ones."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fleet_steps import (
    FORGOTTEN,
    all_live,
    answered,
    cleared,
    forget,
    kinds,
    live,
    said,
    series,
    throttles,
    write_rules,
)
from scene import ROOT, Scene, entries, until

from agent.control.bodies import FOLD
from agent.lab.agents import Agent, Agents
from agent.model import Kind

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("as_it_was")]
REASON = ("--reason", "all are updated")


@pytest.fixture
async def twins(scene: Scene) -> AsyncIterator[Agents]:
    """Agents of other folders beside the same brokers, as a host that was copied would start them."""
    own = replace(scene.agents, folder="twin")
    yield own
    for broker in scene.lab.brokers:
        await own.kill(broker)
        shutil.rmtree(own.agent(broker).folder, ignore_errors=True)


async def test_of_two_agents_with_one_identity_the_later_one_acts(scene: Scene, twins: Agents) -> None:
    write_rules(scene)
    agents = await scene.agents.start_all()
    await all_live(scene, agents)

    twin = await twins.start(2)
    words = "another process joined as broker-2 at offset "
    await until("the first to step back", lambda: words in degraded(scene, agents[2]), 30)
    assert degraded(scene, agents[2]).endswith(": stop one of the two")
    await forget(scene, 2)
    await cleared(scene, twin)
    assert Kind.STARTED not in kinds(agents[2])
    await twins.kill(2)
    await forget(scene, 2)
    await until("the first to refuse", lambda: refusals(agents[2])[-1:] == [degraded(scene, agents[2])], 30)
    assert await throttles(scene) == {2: FORGOTTEN}, "it does nothing, though it is the only one now"

    # Both are started again and again, as a supervisor would: each start is one join, and no more.
    await scene.agents.kill(2)
    await scene.agents.start(2)
    await twins.start(2)
    await until("the first to step back again", lambda: words in degraded(scene, agents[2]), 30)
    joins = answered(scene, "control", "verify", "--config", str(agents[1].config))["accepted"]["join"]
    assert 3 + 1 + 2 <= joins <= 9, "a session that a busy machine let end is joined again"
    (shown,) = [a for a in said(scene, agents[1], "fleet", "--fresh")["agents"] if a["agent"] == "broker-2"]
    assert shown["joins"] == series(twin, "ottla_control_joins_total")[""] >= 1 + 1 + 2
    print(f"{joins} joins of 3 agents, 1 twin and 2 starts; the first says: {degraded(scene, agents[2])}")


def degraded(scene: Scene, agent: Agent) -> str:
    """Why it cannot use the log."""
    told = scene.ottla("status", "--socket", str(agent.socket), "-o", "json").stdout
    return (json.loads(told)["control"]["degraded"] or "") if told else ""


@pytest.fixture
def old_release(scene: Scene) -> Agents:
    """The same agents, of a build whose newest fold version is one below ours."""
    folder = scene.lab.state / "old-release"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "agent", folder / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    bodies = folder / "agent" / "control" / "bodies.py"
    text, count = re.subn(rf"^FOLD = {FOLD}\b", f"FOLD = {FOLD - 1}", bodies.read_text(), flags=re.MULTILINE)
    assert count == 1
    bodies.write_text(text)
    interpreter = ("env", f"PYTHONPATH={folder}", sys.executable, "-m", "agent")
    return replace(scene.agents, interpreter=interpreter)


async def test_an_old_release_among_new_ones_holds_the_rules_back_and_observes_when_it_is_late(
    scene: Scene, old_release: Agents
) -> None:
    write_rules(scene)
    await old_release.start(1)  # the log is born under its rules
    agents = await scene.agents.start_all()
    await all_live(scene, agents)
    where = ("--socket", str(agents[2].socket))
    told = said(scene, agents[2], "fleet", "--fresh")
    assert told["fold"] == FOLD - 1
    assert [agent["fold_max"] for agent in told["agents"]] == [FOLD - 1, FOLD, FOLD]
    for node in (1, 2):
        await forget(scene, node)
        await cleared(scene, agents[node])
    refused = scene.ottla("fleet", "raise", *REASON, *where)
    assert refused.returncode == 1
    assert "these agents do not know the new rules, so update them first: broker-1" in refused.stderr

    await old_release.stop(1)
    await until("the old one to have left", lambda: live(scene, agents[2]) == ["broker-2", "broker-3"], 30)
    answered(scene, "fleet", "raise", *REASON, *where)
    assert said(scene, agents[2], "fleet", "--fresh")["fold"] == FOLD

    late = await old_release.launch(1)
    words = f"the log's fold version is {FOLD}, but this release knows {FOLD - 1}: update it"
    await until("the old one to say so", lambda: late.url is not None and degraded(scene, late) == words, 60)
    await forget(scene, 1)
    await until("it to refuse", lambda: refusals(late)[-1:] == [words], 30, late)
    await forget(scene, 3)
    await cleared(scene, agents[3])
    assert await throttles(scene) == {1: FORGOTTEN}, "it observes"
    assert live(scene, agents[2]) == ["broker-2", "broker-3"]

    await old_release.kill(1)
    updated = await scene.agent(1)
    await cleared(scene, updated, times=2)
    assert await throttles(scene) == {}
    print(f"raise: {refused.stderr.strip()}; then accepted; the old one: {words}")


def refusals(agent: Agent) -> list[str]:
    """Why it did not act."""
    return [e.reason for e in entries(agent, "Forgotten") if e.kind is Kind.REFUSED]
