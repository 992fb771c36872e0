"""What is known of leaders' epochs, against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.kafka.epochs import Epochs


def _read(*epochs: int) -> Epochs:
    read = Epochs()
    for offset, epoch in enumerate(epochs):
        read.saw(offset, epoch)
    return read


@given(st.lists(st.integers(0, 3), max_size=30))
def test_the_epoch_of_each_offset_read_is_known(steps: list[int]) -> None:
    """Epochs never fall along a log; the offset after the last read has the last record's."""
    epochs = sorted(steps)
    read = _read(*epochs)

    assert [read.before(offset) for offset in range(len(epochs))] == epochs
    assert read.before(len(epochs)) == (epochs[-1] if epochs else -1)
    assert read.before(len(epochs) + 1) == -1


def test_reading_again_changes_nothing() -> None:
    """Each fetch begins at the last record that was read."""
    read = _read(1, 1, 2)
    read.saw(2, 2)

    assert (read.before(1), read.before(3)) == (1, 2)


def test_beyond_a_gap_nothing_older_is_known() -> None:
    """A reader that jumps ahead has not read what lies between."""
    read = _read(1, 1)
    read.saw(10, 4)

    assert (read.before(1), read.before(10), read.before(11)) == (-1, 4, 4)


def test_a_lost_tail_is_forgotten() -> None:
    """After the cut the epochs are those that are left, and new records follow them."""
    read = _read(1, 1, 2, 2)
    read.cut(2)

    assert (read.before(1), read.before(2), read.before(3)) == (1, 1, -1)
    read.saw(2, 5)
    assert read.before(2) == 5
