"""Whether a request that nobody answered can still land (coordination.md section 4, rule 5).

E counts from ACT after the bytes left, runs only while every target answers, and starts again at its first
answer after a silence: a broker that was stopped executes its socket's buffer on waking, tens of milliseconds
after it already answered others. A target whose process is another one since has lost that buffer.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from msgspec import Struct

SILENCE = 1_000  # ms: a target that has not answered, or was not asked, for so long was silent

# What tells one process of a target from its next, its last number when it began where that is known; None:
# nobody knows.
Process = str | None
Targets = Mapping[str, Process]  # by name: the broker a request is sent to, and the controller it goes on to


class Sent(Struct, frozen=True):
    """Requests that are in doubt: the newest one left at `at` (own boot time in ms). `e`: how long after ACT
    it may land while its targets answer. `targets`: as they were when it was sent."""

    at: int
    act: int
    e: int
    targets: Targets


class Look(Struct, frozen=True):
    """One observation, from `begun` to `ended` (own boot time in ms): the targets that answered in time, and
    what stands in the world, asked at once with them (anything comparable; None: it did not tell)."""

    begun: int
    ended: int
    answered: Targets
    seen: Hashable | None


class Doubt:
    """Mutable, without I/O. One for each time something is in doubt; fed with looks until it is settled."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self._renewed: set[str] = set()  # targets whose process is another one since
        self._asked: int | None = None  # end of the last look
        self._baseline: tuple[int, Hashable] | None = None  # since when just this was seen, without a silence
        self._silent = ""  # which target was silent in the last look
        self.settled: Hashable | None = None  # what stands, once nothing in doubt can change it any more

    def look(self, look: Look) -> bool:
        """One more observation; True once the doubt is settled."""
        renewed = self._renewed >= self._sent.targets.keys()  # known before this look began
        self._renew(look.answered)
        if self._is_silence(look):
            self._baseline = None
        self._asked = look.ended
        if look.seen is None or self._silent:
            return False
        if not renewed and look.begun < self._sent.at + self._sent.act:
            return False
        if self._baseline is None or self._baseline[1] != look.seen:
            self._baseline = look.ended, look.seen
        if renewed or look.begun - self._baseline[0] >= self._sent.e:
            self.settled = look.seen
        return self.settled is not None

    def words(self, now: int) -> str:
        """For whom or what it waits."""
        if self._silent:
            return f"a request is in doubt, and {self._silent} does not answer"
        began = self._sent.at + self._sent.act if self._baseline is None else self._baseline[0]
        left = max(0, began + self._sent.e - now)
        return f"a request is in doubt: it may land for another {-(-left // 1_000)} s"

    def _renew(self, answered: Targets) -> None:
        for name, process in answered.items():
            before = self._sent.targets.get(name)
            if process is not None and before is not None and _is_next(process, before):
                self._renewed.add(name)

    def _is_silence(self, look: Look) -> bool:
        """A target that may still hold the request did not answer, or was not asked for too long."""
        may_hold = [name for name in self._sent.targets if name not in self._renewed]
        self._silent = next((name for name in sorted(may_hold) if name not in look.answered), "")
        late = look.ended - look.begun > SILENCE
        unasked = self._asked is not None and look.begun - self._asked > SILENCE
        return bool(may_hold) and (bool(self._silent) or late or unasked)


def _is_next(process: str, before: str) -> bool:
    """One that began sooner is not: it was taken for the other, or that for it. Where an older one was named
    as the request was sent and the right, younger one is since, that counts as the next: nothing tells them
    apart, and what names an older one is most often that the right one was not there to take a request."""
    began, former = (words.rpartition(" ")[2] for words in (process, before))
    is_older = began.isdecimal() and former.isdecimal() and int(began) < int(former)
    return process != before and not is_older
