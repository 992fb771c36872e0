"""How `ottla control` reaches the topic: by the configuration file, without an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from agent.commands.reach import CONFIG, NobodyAnswers
from agent.commands.unlogged import unlogged
from agent.config import Config, load
from agent.control.fold import LogGap
from agent.control_topic.follower import ShorterLog
from agent.control_topic.settings_check import deviations
from agent.kafka.admin import Admin
from agent.kafka.errors import KafkaError, KafkaUnreachable
from agent.kafka.log import PartitionLog
from agent.kafka.metadata import PartitionInfo
from agent.yaml_marks import BadFiles

CLIENT = "ottla-control"
DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as it is; `deviations` from what it must be, a sentence each."""

    partition: PartitionInfo
    deviations: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        one = self.partition
        return {
            "topic": one.topic,
            "id": one.topic_id,
            "leader": one.leader,
            "replicas": list(one.replicas),
            "isr": list(one.isr),
            "deviations": list(self.deviations),
        }


class Reached:
    """The cluster that carries the control topic; connections end with the command."""

    def __init__(self, config: Config, stack: AsyncExitStack) -> None:
        self.config = config
        self.name = config.control.topic
        self._stack = stack
        servers, security = config.control.bootstrap_servers, config.security
        self.admin = Admin(servers, security, client_id=CLIENT, deadline=DEADLINE_S)
        self._log = partial(PartitionLog, servers, security, self.name, client_id=CLIENT, deadline=DEADLINE_S)
        stack.push_async_callback(self.admin.close)

    async def cluster(self) -> str:
        """Id of the cluster that the agents watch over, which may be another one."""
        config = self.config
        if config.bootstrap_servers == config.control.bootstrap_servers:
            return (await self.admin.place(config.broker.node_id)).cluster
        own = Admin(config.bootstrap_servers, config.security, client_id=CLIENT, deadline=DEADLINE_S)
        self._stack.push_async_callback(own.close)
        return (await own.place(config.broker.node_id)).cluster

    def log(self) -> PartitionLog:
        """The log of the topic that is there now."""
        log = self._log()
        self._stack.push_async_callback(log.close)
        return log

    async def topic(self) -> Topic | None:
        """The topic; None where there is none."""
        partitions = await self.admin.partitions([self.name])
        if not partitions:
            return None
        brokers = await self.admin.brokers()
        values = await self.admin.effective_configs(f"topic/{self.name}", None)
        return Topic(partitions[0], deviations(partitions, values, len(brokers)))

    async def existing(self) -> Topic:
        """The topic; a sentence where there is none."""
        topic = await self.topic()
        if topic is None:
            raise click.ClickException(f"there is no topic {self.name}: ottla control init makes it")
        return topic


def reaching(command: Callable[..., Awaitable[int]]) -> Callable[..., int]:
    """A command that gets a Reached in place of `--config`; what goes wrong is a sentence and a code."""

    async def reach(config: Path | None, **options: Any) -> int:
        async with AsyncExitStack() as stack:
            return await command(Reached(load(config or CONFIG), stack), **options)

    @wraps(command)
    def run(config: Path | None, **options: Any) -> int:
        try:
            with unlogged("aiokafka", "agent"):  # every failure is told by the command
                return asyncio.run(reach(config, **options))
        except BadFiles as error:
            raise click.ClickException(str(error)) from error
        except KafkaUnreachable as error:
            raise NobodyAnswers(str(error)) from error
        except LogGap as error:
            raise click.ClickException(
                f"the log cannot be folded: {error}; ottla fleet asks an agent that has it"
            ) from error
        except (KafkaError, ShorterLog) as error:
            raise click.ClickException(str(error)) from error

    return run
