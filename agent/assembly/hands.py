"""What an agent acts by, with a daemon or without: the admin client, ports, control topic and fence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from agent.actions import Ports
from agent.assembly.clocks import clock, steady
from agent.assembly.kept import Kept
from agent.config import Config
from agent.config.participant import participant
from agent.control_topic import ControlTopic, Effects, Surroundings
from agent.daemon.fence import Fence
from agent.daemon.ledger import Ledger
from agent.daemon.settling import ANSWER_S
from agent.deadman import Deadman
from agent.deadman import now as boot_time
from agent.journal import Journal
from agent.kafka.admin import Admin
from agent.kafka.log import PartitionLog
from agent.lone_thread import LoneThread
from agent.sources import SourceFailed
from agent.sources.broker_process import which_process
from agent.sources.host import LogDirs

PROCESS_S = 5.0  # seconds for the look which process of the broker runs
_Answer = TypeVar("_Answer")


def client_name(config: Config) -> str:
    """As this agent calls itself to brokers and people."""
    return f"ottla-broker-{config.broker.node_id}"


def make_admin(config: Config) -> Admin:
    """The admin client of this agent."""
    return Admin(config.bootstrap_servers, config.security, client_id=client_name(config))


def make_ports(config: Config, admin: Admin, dirs: LogDirs, ledger: Ledger) -> Ports:
    """What actions reach the world by."""
    return Ports(
        admin=admin,
        node_id=config.broker.node_id,
        free_bytes=partial(_asked, dirs.free_bytes),
        volume=partial(_asked, dirs.volume),
        policy=config.policy,
        steady=steady,
        sleep=asyncio.sleep,
        recorded=lambda *value: value in ledger.history.written,
    )


async def _asked(ask: Callable[[str], Awaitable[_Answer]], path: str) -> _Answer:
    """As actions want it: whatever keeps it from being known of a log dir is an OSError."""
    try:
        return await ask(path)
    except SourceFailed as error:
        raise OSError(str(error)) from error


def make_dirs(config: Config) -> LogDirs:
    """The space of the broker's log dirs."""
    return LogDirs(config.broker.log_dirs, config.interval_ms)


def make_control(config: Config, admin: Admin, journal: Journal) -> ControlTopic:
    """This agent's part in the control topic, perhaps of another cluster."""
    settings = config.control
    log = PartitionLog(
        settings.bootstrap_servers, config.security, settings.topic, client_id=client_name(config)
    )
    own = settings.bootstrap_servers == config.bootstrap_servers
    who = participant(config, create=settings.create)  # genesis; the topic only where its cluster is ours
    around = Surroundings(
        clock=clock,
        create_topic=admin.create_topic if own else None,
        boot=boot_time,
        memory=Kept(journal, "control"),
        describe=log.describe,
        place=partial(admin.place, config.broker.node_id),
        reaches=partial(admin.answers, config.broker.node_id, controller=True, deadline=ANSWER_S),
    )
    return ControlTopic(log, who, around)


def make_fence(config: Config, control: ControlTopic, admin: Admin) -> Fence:
    """By what effects of claims are sent. Raises NoDeadman."""
    at, own = config.host.process, config.broker.node_id
    thread = LoneThread("look for the broker's process")

    async def process(node: int) -> str | None:
        """Only the own broker's process can be seen, unless its pid file's disk hangs."""
        if at is None or node != own:
            return None
        with suppress(OSError):
            return await thread.run(partial(which_process, at), PROCESS_S)
        return None

    return Fence(control, Effects(control, Deadman()), admin, process)
