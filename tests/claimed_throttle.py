"""What the stories of a claimed throttle share: followers that lag, agents, the log as it is folded, and what
must be so when a story has ended: I1 to I3 of the control topic's protocol, asked of brokers and journals."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from kafka_relay import Relays
from scene import Scene, entries, nothing_stands, until
from untouched import CONTROL, configuration, replicas

from agent.control.fold import Verdict
from agent.control.state import Claim, ClaimState, State
from agent.control_topic.birth import walk
from agent.control_topic.follower import ShorterLog
from agent.kafka.configs import ConfigChange
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaError
from agent.kafka.log import PartitionLog
from agent.lab import processes
from agent.lab.agents import Agent
from agent.model import Kind

RATE, LEADER_RATE = "follower.replication.throttled.rate", "leader.replication.throttled.rate"
LIST, LEADER_LIST = "follower.replication.throttled.replicas", "leader.replication.throttled.replicas"
RECORDS, RECORD = 80, bytes(250_000)
E_CONTROLLER = 4_000  # ms: these brokers are well, and no request lies about in them for a minute
_SETS_RATE = re.compile(
    re.escape(RATE.encode()) + rb"\x00.(\d+)"
)  # key, operation SET, the value and its length
NOTHING = "groups: []\n", "owner: test\nremedies: {}\n"
ALERTS = """
groups:
  - name: replication
    rules:
      - alert: {alert}
        expr: max(kafka_server_replicafetchermanager_maxlag{{clientId="Replica"}}) > 10
        for: 1s
"""
REMEDIES = """
owner: test
remedies:
  {alert}:
    mode: act
    target: alertname
    steps:
      - do: throttle_replication
        with: {{rate: 4MiB/s}}
        lease: {lease}
        verify:
          expr: max(kafka_admin_throttle_bytes_per_second{{key="follower.replication.throttled.rate"}}) > 0
          within: 1m
          stable_for: 1s
      - do: escalate
    limits: {{cooldown: 1h, per_host: 20/1h}}
"""


@dataclass
class Story:
    """Agents beside brokers of which `patients` lag behind `leader`, and what was seen of them."""

    scene: Scene
    leader: int
    patients: tuple[int, ...]
    alert: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    state: State = field(default_factory=State)
    problems: dict[int, str] = field(default_factory=dict)  # of all claims that there ever were
    intents: Counter[str] = field(default_factory=Counter)  # that began something, by problem
    read: int = 0  # records
    began: float = field(default_factory=time.monotonic)

    def say(self, words: str) -> None:
        """A line of the story (pytest -s)."""
        print(f"{time.monotonic() - self.began:6.1f} s  {words}", flush=True)

    @property
    def nodes(self) -> tuple[int, ...]:
        """All brokers."""
        return tuple(self.scene.lab.brokers)

    def agent(self, node: int) -> Agent:
        """It need not run."""
        return self.scene.agents.agent(node)

    async def open(self) -> None:
        """All agents run; what is set and where replicas are is remembered."""
        await self.scene.agents.start_all()
        ask = self.nodes[0]
        await self.order("params", f"e_controller={E_CONTROLLER}ms", ask=ask)
        self.before = {
            "configuration": await configuration(self.scene),
            "replicas": await replicas(self.scene),
        }
        self.say(f"three agents; {self.patients} lag behind broker {self.leader}")

    def chapter(self, alert: str, lease: str) -> None:
        """From now on the lag is an alert of this name, whose remedy is a throttle for so long."""
        self.alert = alert
        self.say(f"-- {alert}")
        self.scene.write_rules(ALERTS.format(alert=alert), REMEDIES.format(alert=alert, lease=lease))

    def problem(self, node: int) -> str:
        """The patient's in this chapter, as a claim names it."""
        return f"{self.alert}/0/broker-{node}/{self.alert}"

    def claim(self, node: int) -> Claim | None:
        """The patient's open claim of this chapter, whoever holds it."""
        problem = self.problem(node)
        return next((c for c in self.state.claims.values() if c.problem == problem), None)

    def is_claimed(self, node: int, state: ClaimState) -> bool:
        """Whether the claim is in this state."""
        claim = self.claim(node)
        return claim is not None and claim.state is state

    def session(self, node: int) -> int | None:
        """The live session of the agent there, as the log has it."""
        return next((s.id for s in self.state.sessions.values() if s.agent == f"broker-{node}"), None)

    def told(self, node: int) -> list[Kind]:
        """The kinds of entries of this chapter in the patient's journal."""
        return [entry.kind for entry in entries(self.agent(node), self.alert)]

    async def until(
        self, what: str, holds: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 60
    ) -> None:
        """Wait for it, and tell that it came; a failure tells what the journals and the log hold."""
        try:
            await until(what, holds, seconds)
        except AssertionError as error:
            journals = {n: [f"{e.kind}: {e.reason}" for e in entries(self.agent(n))][-9:] for n in self.nodes}
            status = [await asyncio.to_thread(self.status, node) for node in self.nodes]
            said = "\n".join([f"journals: {journals}", f"claims: {self.state.claims}", *status])
            raise AssertionError(f"{error}\n{said}") from None
        self.say(what)

    async def order(self, name: str, *words: str, ask: int) -> None:
        """`ottla fleet NAME …` by this agent."""
        where = ("--reason", "story", "--socket", str(self.agent(ask).socket))
        done = await asyncio.to_thread(self.scene.ottla, "fleet", name, *words, *where)
        assert done.returncode == 0, done.stderr

    async def fleet(self, ask: int) -> dict[str, Any]:
        """`ottla fleet -o json --fresh` of this agent; nothing where it does not answer yet."""
        where = ("--socket", str(self.agent(ask).socket))
        done = await asyncio.to_thread(self.scene.ottla, "fleet", "--fresh", "-o", "json", *where)
        return json.loads(done.stdout) if done.stdout else {}

    def status(self, node: int) -> str:
        """`ottla status` of this agent, and its last words."""
        agent = self.agent(node)
        done = self.scene.ottla("status", "--socket", str(agent.socket))
        return f"agent {node}: {done.stdout}{done.stderr}{processes.last_lines(agent.output, 9)}"

    def pause(self, node: int) -> None:
        """SIGSTOP for the agent."""
        self._signal(node, signal.SIGSTOP)
        self.say(f"agent {node} is stopped")

    def wake(self, node: int) -> None:
        """SIGCONT."""
        self._signal(node, signal.SIGCONT)
        self.say(f"agent {node} is woken")

    def _signal(self, node: int, number: signal.Signals) -> None:
        process = self.agent(node).process
        assert process is not None, f"agent {node} does not run"
        assert processes.send(process, number)

    async def kill(self, node: int) -> None:
        """SIGKILL for the agent."""
        await self.scene.agents.kill(node)
        self.say(f"agent {node} is killed")

    async def over(self, ask: int, seconds: float = 180) -> None:
        """Until nothing of the chapter is left: I1 to I3 as brokers, log and journals have it."""
        self.scene.write_rules(*NOTHING)

        async def ended() -> bool:
            return self.nothing_stands() and await self.no_claims(ask) and await self.restored()

        await self.until("the configuration is as before, nothing stands, no claim is open", ended, seconds)
        assert await replicas(self.scene) == self.before["replicas"]
        for node in self.patients:
            told = self.told(node)
            assert self.intents[self.problem(node)] <= 1, (node, self.intents)
            assert max(told.count(Kind.STARTED), told.count(Kind.DONE)) <= 1, told

    def nothing_stands(self) -> bool:
        """In no agent's undo journal."""
        return all(nothing_stands(self.agent(node)) for node in self.nodes)

    async def no_claims(self, ask: int) -> bool:
        """Whether this agent, having read to the end, knows of no open claim."""
        return (await self.fleet(ask)).get("claims") == []

    async def restored(self) -> bool:
        """Whether the brokers' and topics' own configuration is what it was."""
        with suppress(KafkaError):
            same: bool = await configuration(self.scene) == self.before["configuration"]
            return same
        return False

    async def follow(self) -> None:
        """Fold the log for ever, and tell what becomes of claims and sessions."""
        while True:
            log = PartitionLog(self.scene.lab.bootstrap, Security(), CONTROL, client_id="story", deadline=2)
            self.problems.clear()
            self.intents.clear()
            try:
                async for state, verdict in walk(log, follow=True):
                    if self.state.log not in ("", state.log):  # it was made again
                        self.read = 0
                    self.state = state
                    self._saw(verdict, state.offset)
            except (KafkaError, ShorterLog):  # while the leader changes
                await asyncio.sleep(0.2)
            finally:
                await log.close()

    def _saw(self, verdict: Verdict, offset: int) -> None:
        news, self.read = offset >= self.read, max(self.read, offset + 1)
        lines = []
        for move in verdict.moves:
            if move.before is None:
                self.problems[move.claim] = self.state.claims[move.claim].problem
            if move.event == "intent" and move.before is ClaimState.GRANTED:
                self.intents[self.problems[move.claim]] += 1
            lines.append(f"log: claim {move.claim} {move.before or 'is new'} -> {move.after}: {move.event}")
        record = verdict.record
        if record is not None and record.t in ("join", "leave", "expire") and verdict.void is None:
            lines.append(f"log: {record.t} of {record.a} {record.x.get('session', '')}")
        for line in lines if news else ():
            self.say(line)


@asynccontextmanager
async def behind(
    scene: Scene, leader: int, patients: tuple[int, ...], *, together: bool = False
) -> AsyncIterator[Story]:
    """Each patient lacks 20 MB of a topic of its own, which the leader serves it at 20 kB/s: for a quarter of
    an hour. The leader's own throttle is the cause; each list holds an operator's entry. `together`: of one
    topic, in which each has a partition; only one can throttle that at once."""
    story = Story(scene, leader, patients)
    scene.write_rules(*NOTHING)
    lacking = {topic(patients[0]): patients} if together else {topic(node): (node,) for node in patients}
    await _fall_behind(scene, leader, lacking)
    following = asyncio.ensure_future(story.follow())
    try:
        yield story
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await asyncio.gather(*(scene.agents.kill(node) for node in story.nodes))
        await scene.admin.delete_topics(list(lacking))
        for node in story.nodes:
            left = await scene.configs(f"broker/{node}", RATE, LEADER_RATE)
            await scene.admin.alter_configs([ConfigChange(f"broker/{node}", k, "delete", None) for k in left])


def set_once(relays: Relays) -> bool:
    """Whether rates were set through the relays, and none twice: each one has its claim's number in it."""
    rates = rates_set(relays)
    return 0 < len(rates) == len(set(rates))


def rates_set(relays: Relays) -> list[bytes]:
    """By requests that came to brokers through the relays."""
    return [rate for request in relays.passed for rate in _SETS_RATE.findall(request.raw)]


def topic(patient: int) -> str:
    """Where it lags."""
    return f"behind-{patient}"


async def _fall_behind(scene: Scene, leader: int, lacking: Mapping[str, tuple[int, ...]]) -> None:
    """`lacking`: who follows the leader in each partition of each topic."""
    patients = [node for nodes in lacking.values() for node in nodes]
    admin = AIOKafkaAdminClient(bootstrap_servers=list(scene.lab.bootstrap))
    await admin.start()
    try:
        least = {"min.insync.replicas": "1"}
        made = [
            NewTopic(name, -1, -1, replica_assignments=_led(leader, nodes), topic_configs=least)
            for name, nodes in lacking.items()
        ]
        await admin.create_topics(made)
    finally:
        await admin.close()
    await until("the topics to have a leader", lambda: _isr(scene, lacking, 2), 20)
    await _set(scene, (f"broker/{leader}", LEADER_RATE, "20000"))
    own = {name: ",".join(f"{number}:{leader}" for number in _led(leader, n)) for name, n in lacking.items()}
    lists = ((f"topic/{name}", key, value) for name, value in own.items() for key in (LEADER_LIST, LIST))
    await _set(scene, *lists)
    for node in patients:
        scene.lab.pause(node)
    try:
        await until("the leader to be alone in sync", lambda: _isr(scene, lacking, 1), 30)
        whole = ((name, number) for name, nodes in lacking.items() for number in _led(leader, nodes))
        await asyncio.gather(*(_produce(scene, leader, *partition) for partition in whole))
    finally:
        for node in patients:
            scene.lab.resume(node)
    await until("no broker to be fenced", lambda: _all_live(scene), 30)


async def _all_live(scene: Scene) -> bool:
    return not any(broker.fenced for broker in (await scene.admin.brokers()).values())


async def _set(scene: Scene, *values: tuple[str, str, str]) -> None:
    await scene.admin.alter_configs([ConfigChange(where, key, "set", value) for where, key, value in values])


def _led(leader: int, followers: tuple[int, ...]) -> dict[int, list[int]]:
    return {number: [leader, node] for number, node in enumerate(followers)}


async def _isr(scene: Scene, lacking: Mapping[str, tuple[int, ...]], size: int) -> bool:
    found = await scene.admin.partitions(list(lacking))
    return len(found) == sum(map(len, lacking.values())) and all(
        p.leader >= 0 and len(p.isr) == size for p in found
    )


async def _produce(scene: Scene, leader: int, name: str, partition: int) -> None:
    where = f"127.0.0.1:{scene.lab.node(leader).port}"
    producer = AIOKafkaProducer(bootstrap_servers=where, acks=1)
    await producer.start()
    try:
        for _ in range(RECORDS):
            await producer.send_and_wait(name, RECORD, partition=partition)
    finally:
        await producer.stop()
