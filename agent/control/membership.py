"""This process's session in the log, what it stamps, and whether it may act (coordination.md 4 and 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.control.admission import born_elsewhere
from agent.control.carried import Carried, for_join
from agent.control.fold import Verdict
from agent.control.records import Record, encode
from agent.control.snapshot import sealed
from agent.control.state import State
from agent.control.times import Settings, genesis
from agent.control.unheard import Unheard
from agent.control.words import clock_time

Key = tuple[str, int, int]  # nonce of a join, else ""; session; sequence: which record of ours it is
GENESIS: Key = ("", -1, 0)
NOT_JOINED = "not joined yet"
READING, JOINING = "control topic unreadable", "not joined"  # what fails, as degraded mode says it
REFUSED = 3  # joins in a row that are void: no race any more


class Membership:
    """Mutable, without I/O; `boot` is the own boot time in ms."""

    def __init__(self, settings: Settings, boot: int) -> None:
        self.session: int | None = None
        self.accepted_at = boot  # when an own record was last seen accepted
        self._unheard = Unheard(boot)
        self._settings = settings
        self._n = 0
        self._latest: str | None = None  # nonce of the last attempt to join
        self._lost: str | None = NOT_JOINED
        self._stuck = False  # a join has no prospect for now
        self._refused = 0  # how many joins in a row were void
        self._fails = READING  # what failed newest
        self.deviates: str | None = None  # how the topic is not as it must be
        self._halted: str | None = None

    def identify(self, cluster: str, rack: str) -> None:
        """Whose agent it is: what genesis and joins say from now on."""
        self._settings = replace(self._settings, cluster=cluster, rack=rack)

    @property
    def cluster(self) -> str:
        """Id of the cluster that it watches over; empty where nobody knows."""
        return self._settings.cluster

    @property
    def rack(self) -> str:
        """Of its broker; empty where it has none, or nobody knows."""
        return self._settings.rack

    def genesis(self, state: State, log: str) -> tuple[Key, bytes]:
        """The record with which the log of this topic id is born."""
        return GENESIS, encode(self._record(state, "genesis", log, -1, 0, genesis(log, self._settings)))

    def join(self, state: State, nonce: str, lost: Carried) -> tuple[Key, bytes]:
        """One attempt to join, which tells what is owed since a log was lost; only the join with the latest
        attempt's nonce is ours."""
        redeclare, handled = for_join(lost, self._settings.agent)
        self._latest = nonce
        body = {
            "host": self._settings.host,
            "rack": self._settings.rack,
            "incarnation": state.incarnations.get(self._settings.agent, 0) + 1,
            "nonce": nonce,
            "fold_max": self._settings.fold_max,
            "version": self._settings.version,
            "redeclare": redeclare,
            "handled": handled,
        }
        return (nonce, -1, 0), encode(self._record(state, "join", state.log, -1, 0, body))

    def stamp(self, state: State, t: str, x: Mapping[str, object]) -> tuple[Key, bytes]:
        """A record of the live session with the next sequence number; BadRecord if it would not be one."""
        assert self.session is not None
        raw = encode(self._record(state, t, state.log, self.session, self._n + 1, x))
        self._n += 1
        return ("", self.session, self._n), raw

    def stamp_snapshot(self, state: State, text: str) -> tuple[Key, bytes]:
        """The snapshot of the last mark, whose state's canonical text this is."""
        assert self.session is not None
        self._n += 1
        x = {"at": state.mark.offset, "hash": state.mark.hash, "state": {}}
        record = self._record(state, "snapshot", state.log, self.session, self._n, x)
        return ("", self.session, self._n), sealed(record, text)

    def _record(self, state: State, t: str, log: str, s: int, n: int, x: Mapping[str, object]) -> Record:
        version = state.version or self._settings.fold_max
        return Record(t, version, log, self._settings.agent, s, n, state.offset, state.digest, x)

    def key(self, record: Record) -> Key | None:
        """Which record of this life it is; None for another's."""
        if record.a != self._settings.agent:
            return None
        if record.t == "genesis":
            return GENESIS
        if record.t == "join" and record.x["nonce"] == self._latest:
            return record.x["nonce"], -1, 0
        return ("", record.s, record.n) if record.s == self.session and record.s >= 0 else None

    def saw(self, state: State, verdict: Verdict, boot: int) -> None:
        """What a folded record means for this session."""
        record = verdict.record
        if state.version > self._settings.fold_max:
            known = self._settings.fold_max
            self.halt(f"the log's fold version is {state.version}, but this release knows {known}: update it")
        if (why := born_elsewhere(state.log, state.voids)) is not None:
            self.halt(why)
        if record is None or verdict.void is not None:
            return
        if self.key(record):
            self.accepted_at = boot
            self._unheard.heard()
            if record.t == "join":
                self.session, self._n, self._lost, self._stuck = state.offset, 0, None, False
                self._refused = 0
        elif record.t == "join" and record.a == self._settings.agent and self.session is not None:
            self.halt(f"another process joined as {record.a} at offset {state.offset}: stop one of the two")
        if self.session is not None and self.session not in state.sessions:
            self.lose("the session ended")

    def fail(self, why: str, boot: int, wall: int, what: str = READING) -> None:
        """A read or a write failed, or JOINING although the log can be read; after long enough without an
        accepted record that is degraded mode."""
        self._fails = what
        self._unheard.failed(why, boot)
        self.watch(boot, wall)

    def watch(self, boot: int, wall: int) -> None:
        """Once a second. Enters degraded mode when no own record was accepted for too long although something
        failed; who cannot join for another reason says that. `wall`: ms since the epoch, for the words."""
        if self._unheard.ran(boot) >= self._settings.times.degraded and not self._stuck:
            since = clock_time(wall - (boot - self.accepted_at))
            self.lose(f"{self._fails} since {since}: {self._unheard.failure}", stuck=True)

    @property
    def heard(self) -> tuple[int, int | None]:
        """Boot times: when an own record was last seen accepted, and since when something fails."""
        return self.accepted_at, self._unheard.since

    def lose(self, why: str, *, stuck: bool = False) -> None:
        """The session is over; only a fresh join ends that. `stuck`: something stands in its way."""
        self.session, self._lost, self._stuck = None, why, stuck

    def refused(self, why: str) -> None:
        """A join was void. Once may be a race with another attempt; again and again, something is wrong."""
        self._refused += 1
        if self._refused >= REFUSED:
            self.lose(f"the control topic does not take this agent in: {why}", stuck=True)

    def deviate(self, why: str | None) -> None:
        """The topic's settings were looked at: `why` says what is wrong with them, and ends the session."""
        self.deviates = why
        if why is not None:
            self.lose(why, stuck=True)

    def lose_tail(self, why: str) -> None:
        """The state was dropped: no earlier join counts any more, even where it survived."""
        self._latest = None
        self.lose(f"control topic's tail was lost: {why}")

    def halt(self, why: str) -> None:
        """Nothing at all is done with this log any more."""
        self.session, self._halted = None, why

    @property
    def halted(self) -> bool:
        """Whether not even a fresh join would help."""
        return self._halted is not None

    @property
    def joining(self) -> bool:
        """Whether a join is under way, with nothing known to stand in its way."""
        in_the_way = self._stuck or self.halted or self.deviates is not None
        return self._lost is not None and not in_the_way

    @property
    def degraded(self) -> str | None:
        """Why nothing may be claimed, in words."""
        return self._halted or self.deviates or self._lost
