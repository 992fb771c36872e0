"""The rules in force, and how others take their place: all of them or none, one reload after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from msgspec import Struct

from agent.families import Family, gauge
from agent.history import History, Phase
from agent.journal import JournalFailed
from agent.lone_thread import LoneThread
from agent.rulebook import BadRules, Rulebook
from agent.rulebook.difference import Change, Difference, difference
from agent.rulebook.stamps import Stamp
from agent.sources.names import Names
from agent.surface import Plain
from agent.yaml_marks.complaints import Severity

log = logging.getLogger(__name__)
_TRIES = 3  # readings, until the files stand still while they are read
_READING_S = 300.0  # ten thousand rules take half a minute, more where the agent is busy
_LOOK_S = 10.0
_MOVING = "the files change while they are read: they are read again when they rest"


class Rules(Struct, frozen=True):
    """What the files said: rules, and what their series are called."""

    book: Rulebook
    names: Names


class Files(Protocol):
    """Where rules come from. Both methods block on disks."""

    def stamp(self) -> Stamp:
        """What tells whether the files have changed."""
        ...

    def read(self) -> Rules:
        """What they say. Raises BadRules."""
        ...


class Means(Struct, frozen=True):
    """What a reload needs of the agent.

    `prepare` is called in a thread with good rules; what it returns puts them in force, on the event loop, or
    says False: something began meanwhile that they were not prepared for. `say` writes into the journal.
    """

    files: Files
    prepare: Callable[[Rules], Callable[[], bool]]
    history: Callable[[], History]
    say: Callable[[str], Awaitable[None]]
    clock: Callable[[], int]


@dataclass(eq=False)
class Reload:
    """Reads rules in a thread and puts good ones in force; bad ones change nothing.

    `rules` are those in force; `seen` is the stamp of the files when they were last read for good.
    """

    means: Means
    rules: Rules
    seen: Stamp
    last: Plain | None = None  # {at, ok, complaints} of the last reload that was no dry run
    good_at: int | None = None
    taken: int = 0
    refused: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _thread: LoneThread = field(default_factory=partial(LoneThread, "reading of the rules"))

    async def reload(self, *, dry_run: bool, by: str, only_news: bool = False) -> Plain:
        """Read the files again: {ok, complaints, changes: see `told`, None where there are complaints,
        remark: why the journal does not have it, if so}.

        `only_news`: what brings nothing new is neither written down nor counted.
        """
        async with self._turn:  # whoever comes meanwhile waits for a reading of its own
            stamp, rules, complaints = await self._read()
            self.seen = self.seen if dry_run else stamp
            if rules is None:
                remark = "" if dry_run else await self._refuse(complaints, by, only_news)
                return {"ok": False, "complaints": complaints, "changes": None, "remark": remark}
            changes = await asyncio.to_thread(difference, self.rules.book, rules.book)
            answer = told(changes, self.rules.names != rules.names, self.means.history())
            remark = "" if dry_run else await self._take(rules, by, only_news)
            return {"ok": True, "complaints": [], "changes": answer, "remark": remark}

    async def stamp(self) -> Stamp:
        """What the files' folders say now; that of no files where their disk hangs."""
        try:
            return await self._thread.run(self.means.files.stamp, _LOOK_S)
        except OSError:
            return ()

    async def _read(self) -> tuple[Stamp, Rules | None, list[str]]:
        try:
            return await self._thread.run(partial(_steady, self.means.files), _READING_S)
        except OSError as error:
            return (), None, [str(error)]

    def collect(self) -> Iterator[Family]:
        """How reloads went."""
        last = "0 where the last reload was refused"
        yield gauge("ottla_rules_reload_successful", last, float(self._well))
        at = (self.good_at or 0) / 1000
        yield gauge("ottla_rules_reload_success_timestamp_seconds", "When rules were last taken", at)
        count = {(("result", "taken"),): self.taken, (("result", "refused"),): self.refused}
        yield Family("ottla_rules_reloads_total", "counter", "Reloads by what came of them", count.items())

    @property
    def _well(self) -> bool:
        return self.last is None or bool(self.last["ok"])

    async def _refuse(self, complaints: Sequence[str], by: str, only_news: bool) -> str:
        if only_news and self.last is not None and self.last["complaints"] == complaints:
            return ""
        self.refused += 1
        self._remember(complaints)
        problems = f"{len(complaints)} problems, the first {complaints[0]}"
        return await self._say(f"rules refused ({by}), the old ones stay in force: {problems}")

    async def _take(self, rules: Rules, by: str, only_news: bool) -> str:
        same = (rules.book.digest, rules.names) == (self.rules.book.digest, self.rules.names)
        if only_news and same and self._well:
            return ""
        install = await asyncio.to_thread(self.means.prepare, rules)
        while not install():  # few times: how many actions begin is limited
            install = await asyncio.to_thread(self.means.prepare, rules)
        self.rules, self.good_at = rules, self.means.clock()
        self.taken += 1
        self._remember(())
        return await self._say(f"rules {rules.book.digest} loaded ({by}): {len(rules.book.alerts)} alerts")

    async def _say(self, words: str) -> str:
        """Why the journal does not have it: what is so is so all the same. Empty where it has it."""
        try:
            await self.means.say(words)
        except JournalFailed as error:
            return f"the journal does not have it: {error}"
        return ""

    def _remember(self, complaints: Sequence[str]) -> None:
        self.last = {"at": self.means.clock(), "ok": not complaints, "complaints": list(complaints)}


def told(changes: Difference, names: bool, history: History) -> Plain:
    """What changes, as plain data.

    rules, remedies, patterns: [{name, what, fields: [{field, before, after}]}]; names: whether the file of
    names says something else; incidents: [{id, alert, phase}] that are open under what changes.
    """
    open_ = (i for i in history.incidents.values() if i.phase is not Phase.CLOSED)
    return {
        "rules": [_change(each) for each in changes.rules],
        "remedies": [_change(each) for each in changes.remedies],
        "patterns": [_change(each) for each in changes.patterns],
        "names": names,
        "incidents": [
            {"id": i.id, "alert": i.decision.alert, "phase": str(i.phase)}
            for i in open_
            if i.decision.alert in changes.alerts
        ],
    }


def _change(change: Change) -> Plain:
    parts = [{"field": name, "before": before, "after": after} for name, before, after in change.fields]
    return {"name": change.name, "what": change.what, "fields": parts}


def _steady(files: Files) -> tuple[Stamp, Rules | None, list[str]]:
    """The files as they were at one instant, with their stamp then, and what is wrong with them."""
    complaints = [_MOVING]
    for _ in range(_TRIES):
        stamp = files.stamp()
        rules = None
        try:
            rules = files.read()
        except BadRules as bad:
            complaints = [str(c) for c in bad.complaints if c.severity is Severity.ERROR]
        except ValueError as error:  # the rules in force are good: no reason to end
            log.exception("reading the rules ended by a fault of ours")
            complaints = [f"a fault of the agent's, see its log: {type(error).__name__}: {error}"]
        if files.stamp() == stamp:
            return stamp, rules, [] if rules else complaints
    return stamp, None, [_MOVING]
