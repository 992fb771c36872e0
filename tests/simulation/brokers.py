"""The world: nodes with configuration, which execute what reaches them, early or late, and may be stopped.

Node 0 is the controller: it keeps the configuration of topics and clients, and gets its requests forwarded by
the broker `via`. Each other node keeps its own broker's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from agent.control.claims import changes_of
from agent.control.state import Claim
from simulation.machines import Process
from simulation.process_loop import Kernel

ACT = 2.0  # seconds
E_OWN = 3.0
E_CONTROLLER = 5.0
SILENCE = 1.0
ANSWER = 1.0  # seconds until nobody waits for an answer any more
USER_TIMEOUT = ACT  # after which a kernel gives up a connection on which nothing gets through
Key = tuple[str, str]  # resource, name of the setting


@dataclass(frozen=True)
class Wanted:
    """One write, and whose it is. `new` None deletes."""

    effect: str
    key: Key
    new: str | None
    via: int
    undo: bool
    blind: bool = False  # an undo that did not ask the log, which could not be used


@dataclass
class Request:
    """One write under way."""

    agent: str
    wanted: Wanted
    connected: float  # true time at which its connection was authenticated
    answer: asyncio.Future[Any]
    process: Process
    stood_still: float  # how long its machine's clocks had stood when its process looked for the last time
    frozen: bool = False  # … and they stood still after that
    left: float = 0.0  # true time at which its bytes left

    @property
    def effect(self) -> str:
        """Whose it is."""
        return self.wanted.effect

    @property
    def undo(self) -> bool:
        """Whether it puts something back."""
        return self.wanted.undo


class Sending:
    """agent.control_topic.effects.Request: one write on a connection of its own."""

    def __init__(self, world: World, process: Process, wanted: Wanted) -> None:
        self._world, self._process = world, process
        self._request = Request(
            process.machine.agent, wanted, world.kernel.now, process.loop.create_future(), process, 0.0
        )

    async def send(self) -> None:
        """The bytes leave, at once or when whatever befalls the process in this very step is over."""
        left = self._process.loop.create_future()
        self._request.stood_still = self._process.looked
        self._world.at_the_gap(self._request, left)
        await left

    async def answer(self) -> bool:
        """TimeoutError: nobody knows."""
        async with asyncio.timeout(ANSWER):
            return bool(await self._request.answer)

    async def close(self) -> None:
        """What has reached the broker stays there."""


def _end(process: Process, future: asyncio.Future[Any], value: object) -> None:
    if process.alive and not future.done():
        future.set_result(value)


@dataclass
class Node:
    """A broker or the controller."""

    stopped: bool = False
    lives: int = 0  # how often its process was started again
    kept: list[Request] = field(default_factory=list)  # what it will execute when it wakes
    asked: list[Callable[[], None]] = field(default_factory=list)  # looks that it will answer when it wakes
    slow: float = 0.0  # up to so many seconds until a request is executed …
    loses: bool = False  # … if at all
    silent: bool = False  # executes, but does not answer writes


class World:
    """What stands, and what is under way to it."""

    def __init__(self, kernel: Kernel, nodes: int, random: Random) -> None:
        self.kernel = kernel
        self.random = random
        self.nodes = {number: Node() for number in range(nodes + 1)}
        self.settings: dict[Key, str] = {}
        self.stamps: dict[str, int] = {}  # of each effect
        self.stops_on_arrival: dict[int, Callable[[], None]] = {}  # node → what stops it at its next request
        self.flying: Counter[str] = Counter()  # effect → requests that may yet be executed
        self.cut: set[int] = set()  # machines that reach no node
        self.guarded = False  # agents look whether another's value stands
        self.looks_wait = False  # in the sockets of who is stopped; else they are lost
        self.sasl = True  # the broker ends sessions that are too old
        self.at_the_look: Callable[[Process], None] = lambda _: None
        self.at_the_gap = self.leave  # between the last look and the bytes
        self.began: Callable[[Request], None] = lambda _: None
        self.told: Callable[[str, Request], None] = lambda *_: None

    @staticmethod
    def home(resource: str) -> int:
        """The node that keeps a resource's configuration."""
        return int(resource.partition("/")[2]) if resource.startswith("broker/") else 0

    def in_the_world(self) -> set[str]:
        """Effects that stand, or whose request may yet be executed."""
        standing = {value.partition("=")[2] for value in self.settings.values()}
        return standing | {effect for effect, count in self.flying.items() if count}

    async def connect(self, process: Process, wanted: Wanted) -> Sending:
        """A connection of its own for one write, authenticated; nothing was sent. TimeoutError where
        the broker is silent."""
        ready = process.loop.create_future()
        self.kernel.after(0.002 + 0.003 * self.random.random(), self._accept, process, wanted.via, ready)
        async with asyncio.timeout(SILENCE):
            await ready
        return Sending(self, process, wanted)

    def _accept(self, process: Process, via: int, ready: asyncio.Future[Any]) -> None:
        if process.machine.node not in self.cut and not self.nodes[via].stopped:
            _end(process, ready, True)

    def leave(self, request: Request, left: asyncio.Future[Any]) -> None:
        """Its bytes go to the kernel of its machine, which sends them whatever becomes of the process."""
        process = request.process
        if not process.alive:
            return
        request.frozen = process.machine.stood_still != request.stood_still
        request.left = self.kernel.now
        self.began(request)
        self.told("left", request)
        self.flying[request.effect] += 1
        self._leave(request, self.kernel.now, 0.2)
        _end(process, left, True)

    def _leave(self, request: Request, since: float, again: float) -> None:
        """The bytes are in the kernel's buffer, which tries them again, each time later, until a path is
        there or the connection has ended."""
        if request.process.machine.node not in self.cut:
            self.kernel.after(0.001 + 0.003 * self.random.random(), self._reach, request, request.wanted.via)
        elif self.kernel.now + again - since < USER_TIMEOUT:
            self.kernel.after(again, self._leave, request, since, 2 * again)
        else:
            self._drop(request, "path cut")

    def _reach(self, request: Request, number: int) -> None:
        node = self.nodes[number]
        if self.sasl and number == request.wanted.via and self.kernel.now - request.connected > ACT + 1.0:
            return self._drop(request, "its session was ended")
        if node.loses:
            return self._drop(request, "lost")
        share = node.slow if number == self.home(request.wanted.key[0]) else node.slow * 0.2
        delay = 0.001 + 0.01 * self.random.random() + share * (0.3 + 0.7 * self.random.random())
        self.kernel.after(delay, self._have_turn, request, number, node.lives)
        if stop := self.stops_on_arrival.pop(number, None):
            stop()
        return None

    def _have_turn(self, request: Request, number: int, life: int) -> None:
        node = self.nodes[number]
        if node.lives != life:
            return self._drop(request, "its node died")
        if node.stopped:
            node.kept.append(request)
            return self.told("buffered", request)
        if number != self.home(request.wanted.key[0]):
            return self._reach(request, self.home(request.wanted.key[0]))
        self.flying[request.effect] -= 1
        self.execute(request)
        via = self.nodes[request.wanted.via]
        if not (node.silent or via.silent or via.stopped or request.process.machine.node in self.cut):
            self.kernel.after(0.002, _end, request.process, request.answer, True)
        return None

    def execute(self, request: Request) -> None:
        """It is done, whoever still waits for that."""
        before = self.settings.get(request.wanted.key)
        if request.wanted.new is None:
            self.settings.pop(request.wanted.key, None)
        else:
            self.settings[request.wanted.key] = request.wanted.new
        self.told(f"executed over {before}", request)

    def flies(self, claim: Claim) -> bool:
        """Whether something of the claim may still land: a person who looks twice knows."""
        stamps = _stamps(claim)
        return any(self.flying[effect] for effect, made in self.stamps.items() if str(made) in stamps)

    def remove_by_hand(self, claim: Claim) -> list[str]:
        """A person undoes what the claim set; what that was, in words."""
        ours = [(k, v) for k, v in self.settings.items() if v.partition("=")[0] in _stamps(claim)]
        for key, _ in ours:
            del self.settings[key]
        return [f"{value} of {'/'.join(key)}" for key, value in ours]

    def _drop(self, request: Request, why: str) -> None:
        self.flying[request.effect] -= 1
        self.told(f"dropped ({why})", request)

    def stop(self, number: int) -> None:
        """SIGSTOP, or a long collection of garbage."""
        self.nodes[number].stopped = True

    def wake(self, number: int) -> None:
        """It answers at once, and executes what its sockets hold some tens of milliseconds later."""
        node = self.nodes[number]
        node.stopped = False
        asked, node.asked = node.asked, []
        for look in asked:
            look()
        kept, node.kept = node.kept, []
        for request in kept:
            delay = 0.01 + 0.07 * self.random.random()
            self.kernel.after(delay, self._have_turn, request, number, node.lives)

    def restart(self, number: int) -> None:
        """Another process: what its sockets held is gone."""
        node = self.nodes[number]
        kept, node.kept, node.asked = node.kept, [], []
        node.stopped, node.lives = False, node.lives + 1
        for request in kept:
            self._drop(request, "its node died")

    async def observe(self, process: Process, resources: tuple[str, ...], via: int) -> dict[Key, str]:
        """The settings of these resources, asked of each node that a write to them passes, on connections of
        the observer's own. TimeoutError where one of them is silent."""
        targets = {via, *(self.home(resource) for resource in resources)}
        answer = process.loop.create_future()
        self.kernel.after(
            0.002 + 0.004 * self.random.random(), self._see, process, resources, targets, answer
        )
        async with asyncio.timeout(SILENCE):
            seen: dict[Key, str] = await answer
            return seen

    def _see(
        self, process: Process, resources: tuple[str, ...], targets: set[int], answer: asyncio.Future[Any]
    ) -> None:
        if process.machine.node in self.cut:
            return
        if stopped := [self.nodes[number] for number in sorted(targets) if self.nodes[number].stopped]:
            if self.looks_wait:
                stopped[0].asked.append(lambda: self._see(process, resources, targets, answer))
            return
        shown = [resource for resource in resources if self._is_shown(process, resource)]
        _end(process, answer, {key: value for key, value in self.settings.items() if key[0] in shown})

    def _is_shown(self, process: Process, resource: str) -> bool:
        """What was done to one host is seen, and undone, by the agent of that host only."""
        return self.home(resource) in (0, process.machine.node)

    def lives(self, resources: tuple[str, ...], via: int) -> tuple[int, ...]:
        """How often each of the targets was started: told by its start time and broker epoch."""
        return tuple(self.nodes[n].lives for n in sorted({via, *map(self.home, resources)}))


def _stamps(claim: Claim) -> set[str]:
    """Its own; and of what was found those that its values bear."""
    return {str(claim.stamp), *(str(c["new"]).partition("=")[0] for c in changes_of(claim.effect))}
