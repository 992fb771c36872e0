"""jmx_exporter and Jolokia in one real broker give the same series; an agent with the exporter alone."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import aiohttp
import pytest
from scene import Scene, until

from agent.actions import load, spec
from agent.config.rule_files import RuleFiles
from agent.daemon.origins import Origins, source_of
from agent.lab.agents import RULES, Agent
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.model import Labels, Sample
from agent.sources.exposition import Exposition
from agent.sources.exposition_http import Target
from agent.sources.jolokia import Jolokia, Known
from agent.sources.name_files import shipped

pytestmark = pytest.mark.e2e
Key = tuple[str, Labels]
_PATIENCE = 30.0  # seconds for one answer: the first takes a busy machine long
BROKER = "kafka_server_kafkaserver_brokerstate"
ALERTS = f"""
groups:
  - name: broker
    rules:
      - {{alert: Runs, expr: {BROKER} == 3}}
      - {{alert: Scraped, expr: up == 1}}
      - {{alert: LogDirOffline, expr: kafka_log_logmanager_offlinelogdirectorycount > 0}}
"""


@cache
def shipped_names() -> frozenset[str]:
    """What the shipped rules read of the broker."""
    actions = {name: spec(cls) for name, cls in load().items()}
    rules = RuleFiles(actions, (Path(RULES),)).read()
    names = Origins(rules.book, rules.names.origin).names
    return frozenset(name for name in names if source_of(name) == "jmx")


# The JVM measures these from one reading to the next, whoever reads: on a machine busy all the time two
# may be 1, and the one between them 0.
SINCE_THE_LAST = ("cpuload",)
# What shipped rules read and a broker of this lab has no number for.
UNCOMPARED = {
    "kafka_controller_controllerstats_uncleanleaderelections_total": "controllers have it",
    "kafka_controller_kafkacontroller_metadataerrorcount": "controllers have it",
    "kafka_server_raft_metrics_commit_latency_avg": "not a number but in the quorum's leader",
    "kafka_server_brokertopicmetrics_remotecopylagbytes": "no remote storage",
}
ALL_NAMES = frozenset(name for name, metric in shipped().metrics.items() if not metric.of) | shipped_names()
NAMES = frozenset(name for name in ALL_NAMES if not name.endswith(SINCE_THE_LAST))


@dataclass
class Comparison:
    """What rounds of reading the one, the other, and the one again have shown.

    `moved`: the one had other values before and after, and the other's lay beside them. That proves nothing,
    and neither does a round in which such a value came back to where it was (Eden is filled and emptied); but
    over all rounds the other's must lie once within what the one has said.
    """

    agreed: set[Key] = field(default_factory=set)
    seen: set[Key] = field(default_factory=set)
    differ: dict[Key, str] = field(default_factory=dict)
    moved: set[Key] = field(default_factory=set)
    ours: dict[Key, list[float]] = field(default_factory=dict)
    theirs: dict[Key, list[float]] = field(default_factory=dict)

    def take(self, before: dict[Key, float], between: dict[Key, float], after: dict[Key, float]) -> None:
        """What was there all the time must be in the middle, with a value that lies between the others'."""
        steady = before.keys() & after.keys()
        self.seen |= steady
        for key in steady | (between.keys() - before.keys() - after.keys()):
            low, high = sorted((before.get(key, math.inf), after.get(key, math.inf)))
            value = between.get(key)
            self.ours.setdefault(key, []).extend(value for value in (low, high) if value < math.inf)
            self.theirs.setdefault(key, []).extend(() if value is None else (value,))
            if value is not None and low <= value <= high:
                self.agreed.add(key)
            elif value is not None and low < high:
                self.moved.add(key)
            else:
                self.differ[key] = f"Jolokia {low:g} to {high:g}, the exporter {value}"

    def told(self) -> Iterator[str]:
        """What never agreed although it stood still, or moved but elsewhere; a line a name."""
        left = {key: words for key, words in self.differ.items() if key not in self.agreed | self.moved}
        for key in self.moved - self.agreed:
            low, high = min(self.ours[key]), max(self.ours[key])
            if not any(low <= value <= high for value in self.theirs[key]):
                left[key] = f"Jolokia {low:g} to {high:g}, the exporter {self.theirs[key]}"
        for name, count in sorted(Counter(name for name, _ in left).items()):
            labels, words = next((key[1], words) for key, words in left.items() if key[0] == name)
            yield f"{name}: {count} series differ, as {dict(labels)}: {words}"


def numbers(samples: list[Sample]) -> dict[Key, float]:
    """Only what is both a metric of JMX and a number: where an MBean says NaN, Jolokia has nothing."""
    found = ((s.name, s.labels, s.value) for s in samples if s.name in NAMES)
    return {(name, labels): value for name, labels, value in found if not math.isnan(value)}


def not_agreed(found: Comparison) -> frozenset[str]:
    """Names that shipped rules read, and of which no series has been seen to be the same."""
    return shipped_names() - {name for name, _ in found.agreed}


async def test_both_sources_of_the_broker_give_the_same_series(cluster: Lab) -> None:
    """Names, labels and values of all metrics; but some gauges that move from one reading to the next."""
    node = cluster.brokers[1]
    jolokia = Jolokia(Known(node.jolokia_url, None), NAMES, 1000, deadline=_PATIENCE)
    exporter = Exposition(Target(str(node.exporter_url)), 1000, deadline=_PATIENCE)
    exporter.select(NAMES)
    found = Comparison()
    async with asyncio.timeout(4 * _PATIENCE):
        for turn in range(30):
            if turn >= 6 and not_agreed(found) == UNCOMPARED.keys():
                break
            before = numbers(await jolokia.read(1))
            between = numbers(await exporter.read(1))
            found.take(before, between, numbers(await jolokia.read(1)))

    compared, differences = {name for name, _ in found.seen}, list(found.told())
    moved = {name for name, _ in found.moved - found.agreed}
    print(f"{len(found.agreed)} of {len(found.seen)} series of {len(compared)} metrics agree")
    print("\n".join([*differences, f"moved too fast to compare: {', '.join(sorted(moved)) or 'none'}"]))
    assert differences == []
    assert len(compared) > 100
    assert not_agreed(found) == UNCOMPARED.keys()
    assert len(found.agreed) > 0.98 * len(found.seen)


async def test_the_exporter_gives_only_the_names_that_are_asked_for(cluster: Lab) -> None:
    """jmx_exporter honours `name[]`, so hundreds of KiB become one."""
    exporter = Exposition(Target(str(cluster.brokers[1].exporter_url)), 1000, deadline=_PATIENCE)
    exporter.select(shipped_names() | {BROKER})
    sizes = []
    for _ in range(3):
        samples = await exporter.read(1)
        sizes.append(next(s.value for s in samples if s.name == "ottla_exposition_body_bytes"))
        assert [s.value for s in samples if s.name == BROKER] == [3.0]
    assert exporter.asks_names
    assert max(sizes[1:]) < 0.1 * sizes[0]


async def test_an_agent_with_the_exporter_alone(scene: Scene) -> None:
    """Its rules are judged and fire; where the broker hangs they are failing, and their alerts go on."""
    scene = replace(scene, agents=replace(scene.agents, exporter=True, interval="3s"))
    scene.write_rules(ALERTS, "owner: test\nremedies: {}\n")
    agent = scene.agents.agent(1)
    await until("the agent to be ready", lambda: started(scene), 120, agent)
    judged = {"Runs": ("firing", "ok"), "Scraped": ("firing", "ok"), "LogDirOffline": ("inactive", "ok")}
    await until("the rules to be judged", lambda: shows(agent, judged), 40, agent)
    scene.lab.pause(1)
    try:
        hung = {"Runs": ("firing", "failing"), "LogDirOffline": ("inactive", "failing")}
        await until("the rules to be failing", lambda: shows(agent, hung), 40, agent)
    finally:
        scene.lab.resume(1)
    await until("the rules to be judged again", lambda: shows(agent, judged), 60, agent)


async def started(scene: Scene) -> bool:
    """Ready means that the exporter has answered, whose first scrapes take a busy machine long."""
    try:
        await scene.agent(1)
    except LabError as error:
        if "was not ready" not in str(error):
            raise
        return False
    return True


async def shows(agent: Agent, wanted: dict[str, tuple[str, str]]) -> bool:
    """Whether these rules have these states and health, the latter in our own words."""
    async with aiohttp.ClientSession() as client, client.get(f"{agent.url}/api/v1/rules") as answer:
        told = await answer.json()
    rules = {rule["name"]: rule for group in told["data"]["groups"] for rule in group["rules"]}
    return wanted == {name: (rules[name]["state"], rules[name]["judged"]) for name in wanted if name in rules}
