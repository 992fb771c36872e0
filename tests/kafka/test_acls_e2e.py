"""The ACLs of docs/security.md: without each of them something is refused, and with it no more.

That all of them together suffice is shown by every other story on the shared lab: its agents have no others.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from kafka_acls import Grant, documented, grant
from scene import until

from agent.kafka.admin import Admin
from agent.kafka.configs import ConfigChange
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaRefused
from agent.kafka.log import PartitionLog
from agent.lab.cluster import Lab
from agent.lab.properties import GUEST

pytestmark = pytest.mark.e2e
REFUSED = ("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED")
RATE = "leader.replication.throttled.rate"
LIST = "leader.replication.throttled.replicas"


@dataclass
class Guest:
    """One who was granted nothing, some topics, and what needs each grant."""

    admin: Admin
    log: PartitionLog  # of `control`
    control: str  # a topic of which it may be granted what agents are of theirs
    new: str  # a topic that does not exist
    seen: str  # any topic

    def needs(self) -> dict[Grant, Callable[[], Awaitable[Any]]]:
        """What agents do with each grant of the page; in its order each needs those before it at most."""
        return {
            Grant("", "Describe"): lambda: self.admin.log_dirs(1),
            Grant("", "DescribeConfigs"): lambda: self.admin.configs("broker/1", [RATE]),
            Grant("*", "Describe"): self._sees_topics,
            Grant("*", "DescribeConfigs"): lambda: self.admin.topic_configs([self.seen], [LIST]),
            Grant("ottla-control", "Read"): lambda: self.log.fetch(0, max_wait_ms=1, min_bytes=0),
            Grant("ottla-control", "Write"): lambda: self.log.append(b"{}"),
            Grant("ottla-control", "Create"): lambda: self.admin.create_topic(self.new, 1, 1, {}),
            Grant("", "AlterConfigs"): lambda: self._sets("broker/1", RATE),
            Grant("*", "AlterConfigs"): lambda: self._sets(f"topic/{self.seen}", LIST),
            Grant("", "Alter"): self._moves,
        }

    async def _sees_topics(self) -> None:
        """Kafka leaves out what one may not see."""
        if self.seen not in {p.topic for p in await self.admin.partitions()}:
            raise KafkaRefused("describe_topic_partitions", 29, "left out")

    async def _sets(self, resource: str, key: str) -> None:
        await self.admin.alter_configs([ConfigChange(resource, key, "delete", None)])

    async def _moves(self) -> None:
        (leader,) = [p.leader for p in await self.admin.partitions([self.seen])]
        dirs = await self.admin.log_dirs(leader)
        (home,) = [d.path for d in dirs for replica in d.replicas if replica.topic == self.seen]
        refused = await self.admin.move_replicas(leader, {(self.seen, 0): home})
        if refused:
            raise KafkaRefused("alter_replica_log_dirs", 31, str(refused))

    def renamed(self, one: Grant) -> Grant:
        """The page names the control topic of agents, which other stories have."""
        topic = self.new if one.operation == "Create" else self.control
        return one._replace(topic=topic) if one.topic == "ottla-control" else one


async def test_each_grant_of_the_page_is_needed(cluster: Lab) -> None:
    """Refused before it, granted, allowed soon after; and the page lists no grant that nothing needs."""
    control, new, seen = (f"acls-{uuid.uuid4().hex[:8]}" for _ in range(3))
    security = Security("SASL_PLAINTEXT", "PLAIN", GUEST, cluster.plan.password)
    owner = Admin(cluster.bootstrap, Security(), client_id="test-acls")
    admin = Admin(cluster.plan.agents_bootstrap, security, client_id="test-guest")
    log = PartitionLog(cluster.plan.agents_bootstrap, security, control, client_id="test-guest", deadline=5)
    guest = Guest(admin, log, control, new, seen)
    try:
        await asyncio.gather(*(owner.create_topic(name, 1, 1, {}) for name in (control, seen)))
        needs = guest.needs()
        assert tuple(needs) == documented()
        for one, do in needs.items():
            assert not await allowed(do), f"{one} is not needed"
            await grant(cluster, GUEST, [guest.renamed(one)])
            await until(f"what {one} allows", lambda do=do: allowed(do), 20)
    finally:
        await owner.delete_topics([control, seen])
        if new in {p.topic for p in await owner.partitions()}:
            await owner.delete_topics([new])
        await asyncio.gather(owner.close(), admin.close(), log.close())


async def allowed(do: Callable[[], Awaitable[Any]]) -> bool:
    """Whether it is not refused for want of a grant; other failures are failures."""
    try:
        await do()
    except KafkaRefused as error:
        if error.name not in REFUSED:
            raise
        return False
    return True
