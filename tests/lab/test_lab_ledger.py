"""The load's checker is checked: it must see every loss that is planted, and none that is not there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.lab.ledger import Ledger


def ledger_of(sent: int, acked: list[int], read: list[int], failed: list[int] | None = None) -> Ledger:
    """One partition's story: all are sent, then answered, then read."""
    own = Ledger(1)
    for number in range(sent):
        assert own.sent(0, at=number) == number
    for number in acked:
        own.acked(0, number, at=1_000 + number)
    for number in failed or []:
        own.failed(0, number)
    for number in read:
        own.read(0, number)
    return own


def test_nothing_is_lost_where_all_is_read() -> None:
    """The plain case."""
    report = ledger_of(3, [0, 1, 2], [0, 1, 2]).report()
    assert report.ok
    assert (report.sent, report.acked, report.read, report.lost) == (3, 3, 3, 0)


def test_an_acknowledged_record_that_is_never_read_is_lost() -> None:
    """In the middle, and at the end."""
    report = ledger_of(4, [0, 1, 2, 3], [0, 2]).report()
    assert report.lost == 2
    assert not report.ok


def test_a_record_that_was_not_acknowledged_may_be_there_or_not() -> None:
    """Neither is a loss."""
    assert ledger_of(2, [0], [0], failed=[1]).report().ok
    assert ledger_of(2, [0], [0, 1], failed=[1]).report().ok


def test_an_acknowledgement_may_come_after_the_record_was_read() -> None:
    """The reader is sometimes faster than the answer."""
    own = Ledger(1)
    own.sent(0, at=0)
    own.read(0, 0)
    own.acked(0, 0, at=5)
    assert own.report().ok


def test_a_record_read_after_a_later_one_is_out_of_order() -> None:
    """And no duplicate."""
    report = ledger_of(3, [0, 1, 2], [0, 2, 1]).report()
    assert (report.reordered, report.duplicates, report.lost, report.ok) == (1, 0, 0, False)


def test_a_record_read_twice_is_a_duplicate_and_no_disorder() -> None:
    """At-least-once is no loss."""
    report = ledger_of(2, [0, 1], [0, 1, 0, 1]).report()
    assert (report.duplicates, report.reordered, report.ok) == (2, 0, True)


def test_what_cannot_be_read_is_not_called_lost() -> None:
    """But all is not well either."""
    report = ledger_of(2, [0, 1], [0]).report(unread=[0])
    assert (report.lost, report.unread, report.ok) == (0, 1, False)


def test_the_gap_is_how_long_waiting_records_went_unanswered() -> None:
    """A pause in which nothing was sent is none."""
    own = Ledger(1)
    own.sent(0, at=0)
    own.acked(0, 0, at=10)
    own.sent(0, at=5_000)
    own.acked(0, 1, at=5_300)
    assert own.report().max_gap_ms == 300


def test_partitions_are_counted_apart() -> None:
    """Number 0 of one partition does not answer for number 0 of another."""
    own = Ledger(2)
    for partition in (0, 1):
        own.sent(partition, at=0)
        own.acked(partition, 0, at=1)
    own.read(0, 0)
    assert own.report().lost == 1


@given(st.integers(1, 20), st.data())
def test_it_agrees_with_plain_sets(sent: int, data: st.DataObject) -> None:
    """Whatever is acknowledged and read, in any order: lost is the one set less the other."""
    numbers = st.sampled_from(range(sent))
    acked = data.draw(st.lists(numbers, unique=True))
    read = data.draw(st.lists(numbers, max_size=40))
    report = ledger_of(sent, acked, read).report()
    first = list(dict.fromkeys(read))
    assert report.lost == len(set(acked) - set(read))
    assert report.duplicates == len(read) - len(first)
    assert report.reordered == sum(n < max(first[:i], default=-1) for i, n in enumerate(first))
