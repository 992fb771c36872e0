"""What a load sent, what was acknowledged and what was read back: pure book-keeping."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadReport:
    """What became of a load. `lost`, `reordered` and `unread` must be 0 for all to be well."""

    sent: int
    acked: int
    failed: int  # not acknowledged: they may be in the log or not
    read: int
    lost: int  # acknowledged, and not in the log
    reordered: int  # read after a later one of its partition
    duplicates: int
    unread: int  # acknowledged, in partitions that could not be read to their end
    max_gap_ms: int  # the longest that a partition's waiting records were not acknowledged

    @property
    def ok(self) -> bool:
        """Whether every acknowledged record was read, in order."""
        return self.lost == self.reordered == self.unread == 0


@dataclass
class _Partition:
    """The records of one partition are numbered from 0 in the order they were sent."""

    sent: int = 0
    acked: int = 0
    failed: int = 0
    read: int = 0
    reordered: int = 0
    duplicates: int = 0
    max_gap_ms: int = 0
    last_ack: int = 0
    newest: int = -1  # the highest number read
    skipped: set[int] = field(default_factory=set)  # below the newest and not read
    awaited: set[int] = field(default_factory=set)  # acknowledged and not read
    sent_at: dict[int, int] = field(default_factory=dict)  # of those not yet answered


class Ledger:
    """Of every partition, the numbers sent, acknowledged and read; its size is that of what is under way."""

    def __init__(self, partitions: int) -> None:
        self._partitions = [_Partition() for _ in range(partitions)]

    def sent(self, partition: int, at: int) -> int:
        """The number of the next record, which goes out at this time (milliseconds)."""
        own = self._partitions[partition]
        own.sent_at[own.sent] = at
        own.sent += 1
        return own.sent - 1

    def acked(self, partition: int, number: int, at: int) -> None:
        """The record was acknowledged: from now on it must be in the log."""
        own = self._partitions[partition]
        own.acked += 1
        own.max_gap_ms = max(own.max_gap_ms, at - max(own.last_ack, own.sent_at.pop(number)))
        own.last_ack = at
        if number > own.newest or number in own.skipped:
            own.awaited.add(number)

    def failed(self, partition: int, number: int) -> None:
        """It was not: whether it is in the log is open."""
        own = self._partitions[partition]
        own.failed += 1
        del own.sent_at[number]

    def read(self, partition: int, number: int) -> None:
        """The record was read back, in the log's order."""
        own = self._partitions[partition]
        own.read += 1
        own.awaited.discard(number)
        if number > own.newest:
            own.skipped.update(range(own.newest + 1, number))
            own.newest = number
        elif number in own.skipped:
            own.skipped.discard(number)
            own.reordered += 1
        else:
            own.duplicates += 1

    def report(self, unread: Collection[int] = ()) -> LoadReport:
        """The sum over all partitions, of which some could not be read to their end."""
        every = self._partitions
        awaited = [(number in unread, len(own.awaited)) for number, own in enumerate(every)]
        return LoadReport(
            sent=sum(own.sent for own in every),
            acked=sum(own.acked for own in every),
            failed=sum(own.failed for own in every),
            read=sum(own.read for own in every),
            lost=sum(count for hidden, count in awaited if not hidden),
            reordered=sum(own.reordered for own in every),
            duplicates=sum(own.duplicates for own in every),
            unread=sum(count for hidden, count in awaited if hidden),
            max_gap_ms=max((own.max_gap_ms for own in every), default=0),
        )
