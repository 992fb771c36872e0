"""Judges rules beside everything else: quick ones on the event loop, in slices, and slow ones in a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct
from msgspec.structs import replace

from agent.alerts import Finding, Ground, Task, Turn, hindered, judge
from agent.daemon.sight import Sight
from agent.model import RecordRule, RuleHealth
from agent.promql import Limits
from agent.series import Touched

SLOW_S = (
    0.005  # of processor time: what took more the last times, or was never judged well, goes to the thread
)
SLICE_S = 0.005  # on the loop in one go
RULE_S = 5.0  # a rule that takes longer in the thread fails

Judged = tuple[Finding, float]  # and what it took, in seconds of processor time


class _Asked(Struct, frozen=True):
    """Which rules are to be judged: readers of what was touched (None: all), and what time has made due."""

    sight: Sight
    touched: Touched | None
    down: frozenset[str]


class Judging:
    """Takes what is asked at any time, and judges it in `run`, one turn after the other.

    A slow rule holds up neither the turn nor the loop: what it gives is taken when it comes, unless other
    rules have taken its place. Asked for meanwhile, it is judged once more after that. Those that read what a
    slow rule records are judged again with it. `changed` is called when anything was judged.

    A rule that cannot be evaluated does not show what it costs. What is in its way is mostly seen at once, so
    that is looked for here, and the rule goes to the thread when there is nothing any more.
    """

    def __init__(self, clock: Callable[[], int], changed: Callable[[], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._asked: _Asked | None = None
        self._sight: Sight | None = None  # whose rules were judged last
        self._aside: dict[int, asyncio.Future[Judged]] = {}  # by the rule's index: what the thread works at
        self._hindered: set[int] = set()  # rules with something in their way that is seen quickly
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="rules")
        self._wake = asyncio.Event()

    def ask(self, sight: Sight, _now: int, touched: Touched | None, down: frozenset[str]) -> None:
        """Soon: the rules of `sight`. What was asked of others before is forgotten, they are out of force."""
        if self._asked is not None and self._asked.sight is sight:
            before = self._asked.touched
            touched = None if touched is None or before is None else before | touched
        self._asked = _Asked(sight, touched, down)
        self._wake.set()

    async def run(self) -> None:
        """For ever. Raises what went wrong in a judgement: a fault of ours."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if await self._turn():
                self._changed()

    def close(self) -> None:
        """Begin nothing more; what the thread works at ends by its own limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self) -> int:
        """Take what the thread has done, then judge what is due; how many findings there were."""
        asked, self._asked = self._asked, None
        if asked is not None and asked.sight is not self._sight:
            self._sight = asked.sight
            self._forget()
        if self._sight is None:
            return 0
        done, recorded = self._take_done(self._sight)
        asked = asked or _Asked(self._sight, Touched(), self._sight.down)
        touched = None if asked.touched is None else asked.touched | Touched.by_change(recorded)
        return done + await self._judge_due(self._sight, touched, asked.down)

    async def _judge_due(self, sight: Sight, touched: Touched | None, down: frozenset[str]) -> int:
        count, rested = 0, time.monotonic()
        ground, turn = sight.begin(self._clock(), touched, down)
        while (task := sight.alerts.next(turn)) is not None:
            count += self._judge(sight, task, ground, turn)
            if time.monotonic() - rested > SLICE_S:
                await asyncio.sleep(0)
                rested = time.monotonic()
                if self._asked is not None and self._asked.sight is not sight:
                    break
        return count

    def _judge(self, sight: Sight, task: Task, ground: Ground, turn: Turn) -> bool:
        """Whether there is a finding already."""
        if task.index in self._aside:
            sight.alerts.postpone(task)
            return False
        if task.cost_s is not None and task.cost_s <= SLOW_S:
            finding, took = _timed(task, ground)
            sight.learn(finding, turn, took)
            return True
        if task.index in self._hindered:
            began = time.thread_time()
            still = hindered(task, ground)
            if still is None or time.thread_time() - began > SLOW_S:
                self._hindered.discard(task.index)
            if still is not None:
                sight.learn(still, turn)
                return True
        future = asyncio.get_running_loop().run_in_executor(self._pool, _limited, task, ground)
        future.add_done_callback(lambda _: self._wake.set())
        self._aside[task.index] = future
        return False

    def _take_done(self, sight: Sight) -> tuple[int, frozenset[str]]:
        """How many findings came from the thread, and the names of what they recorded or changed."""
        done = [index for index, future in self._aside.items() if future.done()]
        recorded = set[str]()
        for index in done:
            finding, took = self._aside.pop(index).result()
            recorded |= sight.learn(finding, None, took)
            if finding.health is not RuleHealth.OK and took <= SLOW_S:
                self._hindered.add(index)
            if isinstance(finding.task.rule, RecordRule):
                recorded.add(finding.task.rule.name)
        return len(done), frozenset(recorded)

    def _forget(self) -> None:
        """What the thread still works at belongs to rules that are out of force."""
        for future in self._aside.values():
            future.cancel()
        self._aside.clear()
        self._hindered.clear()


def _timed(task: Task, ground: Ground) -> Judged:
    began = time.thread_time()
    return judge(task, ground), time.thread_time() - began


def _limited(task: Task, ground: Ground) -> Judged:
    deadline = time.monotonic() + RULE_S
    limits = Limits(ground.limits.samples, lambda: time.monotonic() > deadline)
    return _timed(task, replace(ground, limits=limits))
