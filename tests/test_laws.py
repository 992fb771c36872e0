"""Laws of the whole loop: whatever the world does and wherever the agent dies, nothing is left standing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Disk, Stage, book, kinds

from agent.history import History, fold
from agent.model import Kind
from agent.rehearsal.stage import MemoryJournal
from agent.rehearsal.virtual_time import run
from agent.wire import decode

SPELLS = st.lists(
    st.tuples(
        st.integers(1, 45),  # seconds
        st.sampled_from((0.5, 0.9)),
        st.booleans(),  # whether the brake helps
        st.sampled_from((False, False, False, True)),  # whether it is broken
    ),
    min_size=1,
    max_size=6,
)
CALM_S = 200


async def perform(
    spells: list[tuple[int, float, bool, bool]], lease: int | None, dies_after: int | None
) -> Stage:
    """Play the spells; where the journal dies the agent dies with it and is started again; then calm."""
    lease_ms = None if lease is None else lease * 1000
    stage = Stage(rules=book(2, lease_ms=lease_ms), disk=Disk(), journal=MemoryJournal(dies_after))
    await stage.start()
    for seconds, used, helps, breaks in spells:
        await stage.play(seconds, used=used, helps=helps, breaks=breaks)
        if stage.journal.dead:
            await stage.crash()
            stage.journal.dies_after = None
            await stage.start()
    for _ in range(2):
        await stage.play(CALM_S, used=0.5, helps=True, breaks=False)
        if stage.journal.dead:
            await stage.crash()
            stage.journal.dies_after = None
            await stage.start()
    await stage.crash()
    return stage


@settings(max_examples=60)
@given(SPELLS, st.sampled_from((None, 20, 60)), st.none() | st.integers(1, 12))
def test_nothing_is_left_standing(
    spells: list[tuple[int, float, bool, bool]], lease: int | None, dies_after: int | None
) -> None:
    """A crash after any entry: what was begun is undone, every incident ends, the bounds hold."""
    stage = run(perform(spells, lease, dies_after))

    assert stage.disk.brake is None, stage.told()
    assert stage.standing == 0, stage.told()
    history = History()
    for line in stage.journal.lines:
        history = fold(history, decode(line))
        assert len(history.standing()) <= 1, "one patient, one remedy"
    assert all(i.phase == "closed" for i in history.incidents.values()), stage.told()
    assert kinds(stage.told()).count(Kind.STARTED) <= 2, "per_host: 2/1h, whatever dies"
    assert stage.disk.applied <= 2


@settings(max_examples=20)
@given(SPELLS, st.sampled_from((None, 20)))
def test_an_undo_is_never_lost_to_a_full_journal(
    spells: list[tuple[int, float, bool, bool]], lease: int | None
) -> None:
    """While the journal cannot be written nothing new is begun; once it can, what stood is put back."""

    async def story() -> Stage:
        stage = Stage(rules=book(2, lease_ms=None if lease is None else lease * 1000))
        await stage.start()
        for n, (seconds, used, helps, breaks) in enumerate(spells):
            stage.journal.full = n % 2 == 1
            before = stage.disk.applied
            await stage.play(seconds, used=used, helps=helps, breaks=breaks)
            assert not stage.journal.full or stage.disk.applied == before, "acted without writing it down"
        stage.journal.full = False
        await stage.play(CALM_S, used=0.5, helps=True, breaks=False)
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.brake is None, stage.told()
    assert stage.standing == 0, stage.told()


def test_the_spells_reach_what_the_laws_are_about() -> None:
    """Not vacuous: a long full spell starts, heals and undoes."""
    stage = run(perform([(45, 0.9, True, False)], None, None))

    assert kinds(stage.told()) == ["started", "done", "healed", "undone", "closed"]
