"""Ottla's own agents beside a lab's brokers: configured, started, waited for and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml

from agent.lab import disks, processes
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.plan import DISK_BYTES, DiskKind, Node, Plan
from agent.lab.processes import Command, Process
from agent.lab.properties import AGENT

PROJECT = Path(__file__).parent.parent.parent
RULES = PROJECT / "rules"
_READY_SECONDS = 120.0  # three agents start at once beside four JVMs, on two cores that others may use too
_END_SECONDS = 40.0  # a stopping agent may take 30 to undo what it did
_POLL = 0.05
_LOGS = ("server.log", "controller.log", "state-change.log", "log-cleaner.log")
_LONGEST_SOCKET = 107  # bytes, of the kernel's sun_path


@dataclass(frozen=True)
class Agent:
    """One agent's places; it need not run."""

    node: Node
    folder: Path

    @property
    def config(self) -> Path:
        """Its configuration file, for `--config`."""
        return self.folder / "ottla.yml"

    @property
    def state(self) -> Path:
        """Its state folder, with the journal."""
        return self.folder / "state"

    @property
    def password(self) -> Path:
        """The file with its password for Kafka, where the lab asks for one."""
        return self.folder / "kafka.password"

    @property
    def socket(self) -> Path:
        """Its unix socket, for `--socket`."""
        return self.folder / "ottla.sock"

    @property
    def output(self) -> Path:
        """What it prints."""
        return self.folder / "output.txt"

    @property
    def process(self) -> Process | None:
        """The process that runs now."""
        return processes.find(str(self.folder))

    @property
    def pid(self) -> int | None:
        """Its pid."""
        process = self.process
        return process.pid if process else None

    @property
    def url(self) -> str | None:
        """Where its HTTP interface is; None before it listens."""
        try:
            return f"http://{(self.state / 'http.address').read_text().strip()}"
        except FileNotFoundError:
            return None


@dataclass(frozen=True)
class Agents:
    """The agents of a lab's brokers, by node id.

    `rules` is a folder, `interval` that of their sources, `times` are those of the control topic. `folder`
    begins their folders' names: agents in others may run beside the same brokers. `servers` and
    `control_servers` are the brokers' addresses for all and for the control topic, unless the lab's own.
    `per_host` is how often each may act.
    """

    lab: Lab
    rules: Path = RULES
    interpreter: tuple[str, ...] = (sys.executable, "-m", "agent")
    interval: str = "1s"
    times: str = "lab"
    exporter: bool = False  # the broker's metrics from jmx_exporter, in place of Jolokia
    folder: str = "agent"
    servers: tuple[str, ...] = ()
    control_servers: tuple[str, ...] = ()
    per_host: str = "6/1h"

    def agent(self, broker: int) -> Agent:
        """The agent beside this broker."""
        return Agent(self.lab.node(broker), self.lab.state / f"{self.folder}-{broker}")

    async def start(self, broker: int) -> Agent:
        """Start it and wait until it says that it is ready; one that runs is left as it is.

        LabError, with its last words, when it ends or is not ready in time.
        """
        agent = await self.launch(broker)
        await _wait_ready(agent, _READY_SECONDS)
        return agent

    async def launch(self, broker: int) -> Agent:
        """Start it, whether it will ever be ready or not; one that runs is left as it is."""
        agent = self.agent(broker)
        if agent.process is None:
            await asyncio.to_thread(self._launch, agent)
        return agent

    async def start_all(self) -> dict[int, Agent]:
        """Start all of them at once."""
        started = await asyncio.gather(*(self.start(broker) for broker in self.lab.brokers))
        return {agent.node.id: agent for agent in started}

    async def stop(self, broker: int) -> None:
        """SIGTERM: it undoes what it did, and leaves."""
        await _end(self.agent(broker), signal.SIGTERM)

    async def kill(self, broker: int) -> None:
        """SIGKILL, at whatever instant."""
        await _end(self.agent(broker), signal.SIGKILL)

    def _launch(self, agent: Agent) -> None:
        for folder in (agent.folder, agent.state):
            folder.mkdir(exist_ok=True)
            disks.own(folder)
        plan = self.lab.plan
        if agent.node.sasl_port is not None:
            agent.password.write_text(plan.password)
            agent.password.chmod(0o600)
            disks.own(agent.password)
        agent.config.write_text(configuration(plan, agent, self))
        (agent.state / "http.address").unlink(missing_ok=True)  # an earlier one's says nothing of this one
        processes.start(
            Command(
                [*self.interpreter, "run", "--config", str(agent.config)],
                tag=str(agent.folder),
                output=agent.output,
                folder=agent.folder,
                environment={"PYTHONPATH": str(PROJECT), "HOME": str(agent.folder)},
                reads_everything=not all(
                    _everybody_enters(path) for path in (PROJECT, self.rules, Path(sys.executable).resolve())
                ),
            )
        )


def configuration(plan: Plan, agent: Agent, agents: Agents) -> str:
    """The text of its ottla.yml."""
    if len(os.fsencode(agent.socket)) > _LONGEST_SOCKET:
        raise LabError(
            f"{agent.socket} is too long for a unix socket", "give a shorter folder with --state DIR"
        )
    node = agent.node
    broker: dict[str, object] = {
        "server_properties": str(node.server_properties),
        "logs": [str(node.logs_dir / name) for name in _LOGS],
    }
    if plan.disk is DiskKind.FOLDER:
        broker["log_dirs"] = [
            {"path": str(path), "capacity": f"{DISK_BYTES >> 20}MiB"} for path in node.log_dirs
        ]
    settings: Mapping[str, object] = {
        "bootstrap_servers": list(agents.servers or plan.agents_bootstrap),
        **({} if node.sasl_port is None else {"security": _security(agent)}),
        **(
            {"exposition": [{"url": node.exporter_url}]}
            if agents.exporter
            else {"jolokia": {"url": node.jolokia_url}}
        ),
        "rules": str(agents.rules),
        "broker": broker,
        "state": str(agent.state),
        "socket": str(agent.socket),
        "stop_file": str(agent.folder / "stop"),
        "http": {"listen": "127.0.0.1:0"},
        "interval": agents.interval,
        "policy": {"startup_grace": "2s", "per_host": agents.per_host},
        "control": {
            "topic": "ottla-control",
            "create": True,
            "times": agents.times,
            **({"bootstrap_servers": list(agents.control_servers)} if agents.control_servers else {}),
        },
    }
    return yaml.safe_dump(settings, sort_keys=False)


def _security(agent: Agent) -> Mapping[str, str]:
    return {
        "protocol": "SASL_PLAINTEXT",
        "mechanism": "PLAIN",
        "username": AGENT,
        "password_file": str(agent.password),
    }


async def _wait_ready(agent: Agent, deadline: float) -> None:
    try:
        async with asyncio.timeout(deadline), aiohttp.ClientSession() as session:
            while not await _is_ready(agent, session):
                if await asyncio.to_thread(processes.find, str(agent.folder)) is None:
                    said = processes.last_lines(agent.output) or "it said nothing"
                    message = f"the agent of {agent.node.name} ended: {said}"
                    raise LabError(message, f"all that it said is in {agent.output}")
                await asyncio.sleep(_POLL)
    except TimeoutError:
        said = processes.last_lines(agent.output) or "it said nothing"
        message = f"the agent of {agent.node.name} was not ready in {deadline:g} s: {said}"
        raise LabError(message, f"all that it said is in {agent.output}") from None


async def _is_ready(agent: Agent, session: aiohttp.ClientSession) -> bool:
    url = agent.url
    if url is None:
        return False
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _end(agent: Agent, number: signal.Signals) -> None:
    process = agent.process
    if process is None:
        return
    stubborn: list[Process] = await asyncio.to_thread(processes.end, [process], number, _END_SECONDS)
    if stubborn:
        raise LabError(f"the agent of {agent.node.name} (pid {process.pid}) ignores {number.name}")


def _everybody_enters(path: Path) -> bool:
    """Whether a user without rights can come to this folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))
