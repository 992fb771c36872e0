"""One node of the cluster: its files laid out, formatted, started, and seen to run."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import aiohttp

from agent.lab import disks, processes
from agent.lab.errors import LabError
from agent.lab.jars import Jars, exporter
from agent.lab.plan import Node, Plan
from agent.lab.processes import Command
from agent.lab.properties import initial_controllers, server_properties

_LOG4J2 = Path(__file__).with_name("log4j2.xml")
_EXPORTER = Path(__file__).with_name("jmx_exporter.yml")
_BROKER_STATE = "read/kafka.server:type=KafkaServer,name=BrokerState/Value"
_RUNNING = 3
_POLL = 0.1
_LOOKS, _AGAIN = 2, 0.3
_PORT_TAKEN = ("Address already in use", "Failed to bind")
_NO_JOLOKIA = "Could not start Jolokia agent"
_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseG1GC", "-XX:-UsePerfData", "-Xshare:auto")


class NodeState(StrEnum):
    """What a node is doing, as seen from outside."""

    RUNNING = "running"
    STARTING = "starting"  # or hung: it has a process and does not say that it is running
    PAUSED = "paused"
    STOPPED = "stopped"


class PortTakenError(LabError):
    """Another process took a port between our choice and the node's start."""


def lay_out(plan: Plan, node: Node) -> None:
    """Make the node's folder, disks and configuration; what is there already stays."""
    for folder in (Path(node.folder), node.metadata_dir, node.logs_dir, _scratch(node)):
        folder.mkdir(exist_ok=True)
        disks.own(folder)
    shutil.copyfile(_LOG4J2, _log4j2(node))  # the brokers' user may not be able to read the original
    shutil.copyfile(_EXPORTER, _exporter_config(node))
    disks.make(node, plan.disk)
    node.server_properties.write_text(server_properties(plan, node))


def format_storage(plan: Plan, node: Node, jars: Jars) -> None:
    """Give its log dirs the cluster's id, once: takes two seconds."""
    done = Path(node.folder, "formatted")
    if done.exists():
        return
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "--cluster-id", plan.cluster_id]
    tool += ["--config", str(node.server_properties)]
    if not node.is_broker:
        tool += ["--initial-controllers", initial_controllers(plan)]
    processes.run(_java(node, jars, ["-Xmx128m"], tool))
    done.touch()


def start(node: Node, jars: Jars, *, jolokia: bool = True) -> None:
    """Start its process, unless it has one. Returns at once: see `wait_running`, which asks its Jolokia."""
    if processes.find(node.tag) is not None:
        return
    options = ["-Xms64m", "-Xmx384m" if node.is_broker else "-Xmx256m"]
    options += ["-Dsun.net.httpserver.nodelay=true"]  # without it Jolokia takes 44 ms to answer, not 2
    if node.is_broker and jolokia:
        options.append(f"-javaagent:{jars.jolokia}=port={node.jolokia_port},host=127.0.0.1")
    if node.exporter_port is not None:
        options.append(f"-javaagent:{exporter()}=127.0.0.1:{node.exporter_port}:{_exporter_config(node)}")
    node.output.unlink(missing_ok=True)  # what an earlier process said must not be taken for this one's
    processes.start(_java(node, jars, options, ["kafka.Kafka", str(node.server_properties)]))


async def wait_running(nodes: Sequence[Node], deadline: float) -> None:
    """Until the brokers say BrokerState 3 and the controllers accept connections.

    LabError, with the reason from its log, when one ends or is not there after `deadline` seconds.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session:
        try:
            async with asyncio.timeout(deadline):
                await asyncio.gather(*(_wait_running(node, session) for node in nodes))
        except TimeoutError:
            late = [node for node in nodes if await _state(node, session) is not NodeState.RUNNING]
            if late:
                names = ", ".join(node.name for node in late)
                message = (
                    f"{names} did not start in {deadline:g} s: {processes.last_lines(late[0].server_log, 1)}"
                )
                raise LabError(message, f"its log is {late[0].server_log}") from None


async def states(nodes: Sequence[Node]) -> dict[int, NodeState]:
    """What each of them is doing now."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session:
        seen = await asyncio.gather(*(_state(node, session) for node in nodes))
    return {node.id: state for node, state in zip(nodes, seen, strict=True)}


async def _wait_running(node: Node, session: aiohttp.ClientSession) -> None:
    """Running twice in a row: a broker says so an instant before it opens its port, which may be taken."""
    looks = 0
    while looks < _LOOKS:
        state = await _state(node, session)
        looks = looks + 1 if state is NodeState.RUNNING else 0
        output = await asyncio.to_thread(processes.last_lines, node.output, 50)
        if _NO_JOLOKIA in output:
            raise _port_taken(f"Jolokia of {node.name}", node.jolokia_port)
        if state is NodeState.STOPPED:
            raise await asyncio.to_thread(_why_ended, node)
        await asyncio.sleep(_AGAIN if looks else _POLL)


async def _state(node: Node, session: aiohttp.ClientSession) -> NodeState:
    process = await asyncio.to_thread(processes.find, node.tag)
    if process is None:
        return NodeState.STOPPED
    if process.state == "T":
        return NodeState.PAUSED
    ready = await (_says_running(node, session) if node.is_broker else _accepts(node.port))
    return NodeState.RUNNING if ready else NodeState.STARTING


async def _says_running(node: Node, session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get(f"{node.jolokia_url}/{_BROKER_STATE}") as response:
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False  # not up yet, or already down
    return bool(answer.get("value") == _RUNNING)


async def _accepts(port: int) -> bool:
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _why_ended(node: Node) -> LabError:
    """The reason why a node's process is gone, as far as it told."""
    said = [*_lines(node.output), *_lines(node.server_log)]
    if any(mark in line for mark in _PORT_TAKEN for line in said):
        return _port_taken(node.name, node.port)
    errors = [line for line in said if " ERROR " in line or line.startswith(("Error", "Exception"))]
    reason = (errors or said or ["it said nothing"])[-1]
    return LabError(f"{node.name} ended while starting: {reason}", f"its logs are in {node.logs_dir}")


def _port_taken(who: str, port: int | None) -> PortTakenError:
    hint = f"ss -ltnp 'sport = :{port}' shows who has it"
    return PortTakenError(f"{who} could not listen on port {port}: it is taken", hint)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()[-200:]
    except FileNotFoundError:
        return []


def _java(node: Node, jars: Jars, options: Sequence[str], rest: Sequence[str]) -> Command:
    own = [
        f"-Dkafka.logs.dir={node.logs_dir}",
        f"-Dlog4j2.configurationFile={_log4j2(node)}",
        f"-Djava.io.tmpdir={_scratch(node)}",  # native libraries are unpacked there, and stay after a kill
        f"-XX:ErrorFile={node.logs_dir}/hs_err.log",
    ]
    java = [jars.java, *_QUICK_START, *options, *own, "-cp", jars.class_path, *rest]
    return Command(java, node.tag, node.output, Path(node.folder))


def _scratch(node: Node) -> Path:
    return Path(node.folder, "scratch")


def _log4j2(node: Node) -> Path:
    return Path(node.folder, "log4j2.xml")


def _exporter_config(node: Node) -> Path:
    return Path(node.folder, "jmx_exporter.yml")
