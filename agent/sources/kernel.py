"""What the kernel's files say of this host, each part of them read only where a rule asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from agent.lone_thread import LoneThread
from agent.model import Labels, Sample
from agent.promql.vectors import STALE
from agent.sources import MetricInfo
from agent.sources.reasons import Reasons

Reading = tuple[str, Labels, float]

METRICS = (
    MetricInfo(
        "host_unread_total",
        "counter",
        "",
        "Readings of a `part` of the host that gave less than asked: a file is missing, forbidden or hangs",
    ),
)


class Part(Protocol):
    """Some files that are read together. `read` blocks, and runs in a thread of its own."""

    @property
    def name(self) -> str:
        """The label `part` of what it could not read."""

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """What it can yield."""

    def read(self, wanted: frozenset[str]) -> Iterable[Reading]:
        """What is wanted of it. FileNotFoundError or ProcessLookupError where there is none of it here,
        another OSError where a file cannot be read, ValueError or IndexError where it is not as documented.
        What was yielded before counts."""


class Kernel:
    """Reads its parts one after another in one thread: threads side by side would cost more than the reading.

    A part that hangs keeps that thread to itself, and the others get another one. What errs or hangs is
    counted, told once, and hides no other. `deadline` (seconds) is for all that one thread reads.

    What a part gave before and does not give now ends, also where it errs or hangs, as Prometheus ends all
    series of a scrape that failed; and what it did not give because it errs or hangs is `unread`. Parts that
    were not begun, since another hung before them, end nothing.
    """

    name = "kernel"
    partial = True  # it tells the ends of its series itself

    def __init__(self, parts: Sequence[Part], interval_ms: int, deadline: float = 4.0) -> None:
        self.interval_ms = interval_ms
        self.wanted = frozenset[str]()
        self.unread = frozenset[str]()
        self.metrics = (*METRICS, *(metric for part in parts for metric in part.metrics))
        self._deadline = deadline
        self._parts = {part.name: part for part in parts}
        self._names = {part.name: frozenset(metric.name for metric in part.metrics) for part in parts}
        self._threads = dict.fromkeys(self._parts, LoneThread("reading of the host"))
        self._unread = dict.fromkeys(self._parts, 0)
        self._reasons = Reasons("host:")
        self._given: dict[str, set[tuple[str, Labels]]] = {}  # by part

    @property
    def failed(self) -> Mapping[str, str]:
        """See Partly; also of parts of which there is none here."""
        return self._reasons.now

    async def read(self, now: int) -> list[Sample]:
        """One reading of what is wanted."""
        asked = [name for name, metrics in self._names.items() if metrics & self.wanted]
        threads = dict.fromkeys(self._threads[name] for name in asked)
        rounds = [_Round([self._parts[n] for n in asked if self._threads[n] is thread]) for thread in threads]
        runs = (self._run(each, thread) for each, thread in zip(rounds, threads, strict=True))
        in_doubt = frozenset[str]().union(*await asyncio.gather(*runs))
        found = {name for each in rounds for _, readings in each.found for name, _, _ in readings}
        self.unread = frozenset(n for part in in_doubt for n in self._names[part] & self.wanted - found)
        readings = [r for each in rounds for part, found in each.found for r in self._with_ends(part, found)]
        readings += [("host_unread_total", (("part", name),), float(self._unread[name])) for name in asked]
        return [Sample(name, labels, now, value) for name, labels, value in readings]

    def _with_ends(self, part: str, found: list[Reading]) -> Iterator[Reading]:
        """What a part gave, and the end of what it gave the time before and now does not."""
        before, self._given[part] = (
            self._given.get(part, set()),
            {(name, labels) for name, labels, _ in found},
        )
        yield from ((name, labels, STALE) for name, labels in before - self._given[part])
        yield from found

    async def _run(self, each: _Round, thread: LoneThread) -> set[str]:
        """Have its parts read; those of which it stays open what they would tell."""
        in_doubt = each.in_doubt
        try:
            await thread.run(partial(each.read, self.wanted), self._deadline)
        except TimeoutError as error:
            failed = {name: f"{error}, at {each.at or name}" for name in each.ahead()}
            in_doubt = in_doubt | ({each.at} if each.at else set(each.names))
            self._set_apart(each.at, thread)
        else:
            failed = each.failed
        for name in each.names:
            self._judge(name, failed.get(name))
        return in_doubt

    def _set_apart(self, hung: str | None, thread: LoneThread) -> None:
        """All that shared the thread with the part that hangs in it go on in another."""
        if hung is None:
            return  # it has the thread to itself since an earlier reading
        other = LoneThread("reading of the host")
        shared = [name for name, own in self._threads.items() if own is thread and name != hung]
        self._threads.update(dict.fromkeys(shared, other))

    def _judge(self, name: str, why: str | None) -> None:
        self._unread[name] += why is not None
        self._reasons.learn(name, why)


class _Round:
    """One reading of some parts, in their thread; what it found is also of use where it does not end."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.names = [part.name for part in parts]
        self.failed: dict[str, str] = {}
        self.in_doubt = set[str]()  # those that failed by other than that there is none of it here
        self.at: str | None = None  # the part that is being read
        self._parts = parts
        self._found: dict[str, list[Reading]] = {}

    @property
    def found(self) -> list[tuple[str, list[Reading]]]:
        """So far, of each part that was begun."""
        return [(part, list(found)) for part, found in list(self._found.items())]

    def ahead(self) -> list[str]:
        """The part that is being read, and those behind it."""
        return self.names[self.names.index(self.at) if self.at else 0 :]

    def read(self, wanted: frozenset[str]) -> None:
        """All parts; what keeps one from being read is in `failed`."""
        for part in self._parts:
            self.at = part.name
            found = self._found[part.name] = []
            try:
                found.extend(part.read(wanted))
            except (OSError, ValueError, IndexError) as error:
                self.failed[part.name] = str(error) or type(error).__name__
                if not isinstance(error, FileNotFoundError | ProcessLookupError):
                    self.in_doubt.add(part.name)
