"""A real Kafka cluster on this machine: up, down, and what tests and demos do to its nodes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.lab import disks, folder, nodes, processes
from agent.lab.errors import LabError
from agent.lab.jars import Jars, Say, exporter, find_or_fetch, silent
from agent.lab.nodes import NodeState, PortTakenError
from agent.lab.plan import Node, Plan, Size, make_plan, read_plan, write_plan
from agent.lab.ports import free_ports
from agent.lab.processes import Process

_ATTEMPTS = 3  # with other ports, when another process took one of ours first
_START_SECONDS = 60.0
_END_SECONDS = 20.0


@dataclass(frozen=True)
class Lab:
    """The lab in one state folder. It holds nothing: what is so stands in the folder and in /proc."""

    state: Path

    @classmethod
    def open(cls, state: Path | str | None = None) -> Lab:
        """The lab of this folder, whether it is up or not."""
        return cls(folder.default_folder() if state is None else Path(state).absolute())

    @property
    def plan(self) -> Plan:
        """What the lab consists of. LabError when it is not up."""
        plan = read_plan(self.state)
        if plan is None:
            raise LabError(f"there is no lab in {self.state}", f"ottla lab up --state {self.state}")
        return plan

    @property
    def brokers(self) -> Mapping[int, Node]:
        """The brokers by node id."""
        return self.plan.brokers

    def node(self, node: int) -> Node:
        """The node of this id. LabError when there is none."""
        known = {own.id: own for own in self.plan.nodes}
        if node not in known:
            raise LabError(f"the lab has no node {node}", f"it has {', '.join(map(str, known))}")
        return known[node]

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """The brokers' addresses, for a client."""
        return self.plan.bootstrap

    async def up(self, size: Size | None = None, kafka: str | None = None, say: Say = silent) -> Plan:
        """Have the cluster run: makes it, completes it, or leaves it as it is.

        None of size or version takes what is there, or the defaults. What a crash left is removed first.
        """
        with folder.locked(self.state):
            plan = read_plan(self.state)
            if plan is not None and await asyncio.to_thread(_alive, self.state):
                _check_same(plan, size, kafka, self.state)
                jars = await asyncio.to_thread(find_or_fetch, plan.kafka, say)
                await self._bring_up(plan, jars, say)
                return plan
            if plan is not None:
                say("removing what an earlier lab left behind")
                await asyncio.to_thread(folder.clear, self.state)
            jars = await asyncio.to_thread(find_or_fetch, kafka, say)
            return await self._make(size or Size(), jars, say)

    async def down(self) -> bool:
        """Remove every process, mount and file of the lab, data included; False if there was nothing."""
        if not folder.is_lab(self.state):
            if self.state.exists():
                raise LabError(
                    f"{self.state} is not a lab's folder, so nothing is removed", "name it with --state DIR"
                )
            return False
        with folder.locked(self.state):
            await asyncio.to_thread(folder.clear, self.state)
        return True

    async def states(self) -> dict[int, NodeState]:
        """What every node is doing, by node id."""
        return await nodes.states(self.plan.nodes)

    async def kill(self, node: int) -> None:
        """SIGKILL, and wait until it is gone; nothing if it is not running."""
        await self._end(node, signal.SIGKILL)

    async def stop(self, node: int) -> None:
        """SIGTERM, a controlled shutdown, and wait until it is gone."""
        await self._end(node, signal.SIGTERM)

    async def start_broker(self, node: int) -> None:
        """Start a broker (or controller) again and wait until it is running."""
        own = self.node(node)
        jars = await asyncio.to_thread(find_or_fetch, self.plan.kafka, silent)
        await asyncio.to_thread(nodes.start, own, jars)
        await nodes.wait_running([own], _START_SECONDS)

    def pause(self, node: int) -> None:
        """SIGSTOP: it hangs, and its sockets still accept."""
        self._signal(node, signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """SIGCONT."""
        self._signal(node, signal.SIGCONT)

    def _signal(self, node: int, number: signal.Signals) -> None:
        own = self.node(node)
        process = own.process
        if process is None or not processes.send(process, number):
            raise LabError(f"{own.name} is not running", "ottla lab up starts it")

    async def _end(self, node: int, number: signal.Signals) -> None:
        own = self.node(node)
        process = own.process
        if process is None:
            return
        stubborn: list[Process] = await asyncio.to_thread(processes.end, [process], number, _END_SECONDS)
        if stubborn:
            raise LabError(
                f"{own.name} (pid {process.pid}) still runs {_END_SECONDS:g} s after {number.name}"
            )

    async def _make(self, size: Size, jars: Jars, say: Say) -> Plan:
        kind = disks.kind_here()
        folder.check_room(self.state, size, kind)
        for attempt in range(1, _ATTEMPTS + 1):
            plan = make_plan(self.state, size, jars.kafka, kind, free_ports(size.ports))
            write_plan(self.state, plan)
            try:
                await self._bring_up(plan, jars, say)
            except PortTakenError as error:
                if attempt == _ATTEMPTS:
                    raise
                say(f"{error}; beginning again with other ports")
                await asyncio.to_thread(folder.clear, self.state)
            else:
                return plan
        raise AssertionError("the last attempt either returns or raises")

    async def _bring_up(self, plan: Plan, jars: Jars, say: Say) -> None:
        if plan.size.exporter:
            await asyncio.to_thread(exporter, say)
        say(f"starting Kafka {plan.kafka}: {plan.size.words}")
        await asyncio.gather(
            *(asyncio.to_thread(_prepare_and_start, plan, node, jars) for node in plan.nodes)
        )
        say("formatted and started: waiting for all brokers to run")
        await nodes.wait_running(plan.nodes, _START_SECONDS)


def _prepare_and_start(plan: Plan, node: Node, jars: Jars) -> None:
    nodes.lay_out(plan, node)
    nodes.format_storage(plan, node, jars)
    nodes.start(node, jars)


def _alive(state: Path) -> bool:
    return bool(processes.find_below(state))


def _check_same(plan: Plan, size: Size | None, kafka: str | None, state: Path) -> None:
    have = plan.size
    if size not in (None, have) or kafka not in (None, plan.kafka):
        message = f"{state} holds a lab of Kafka {plan.kafka}, {have.words}"
        raise LabError(message, f"ottla lab down --state {state}, or another folder with --state DIR")
