"""A snapshot of the mark is read without being decoded, and all the same as if it were."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scribe import LOG, Scribe

from agent.control.bodies import FOLD
from agent.control.fold import fold
from agent.control.records import BadRecord, Record, opened
from agent.control.snapshot import AsMarked, dump, marked, of_the_mark, sealed
from agent.control.state import Session, State
from agent.control.times import EVERY

TIME = 2**63  # a broker's, out of a record's range
PUT = st.sampled_from([b"", b" ", b"{}", b"]", b"}", b"0"])
EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), PUT), max_size=2)
TEXTS = st.sampled_from(["", "x", 'a"state":{}', "é", "\x7f", "\ud800", f",{TIME}", "\\ud800"])


def state_with(words: str, at: int) -> State:
    """A small one in which these words and this time stand."""
    one = Session(0, "broker-1", words, "r", "1", FOLD, "0" * 32, 0, 1, 0, at)
    return State(EVERY, 0, time=at, log=LOG, sessions={0: one}, pauses={})


def snapshot(state: State, text: str, **x: object) -> bytes:
    """As its writer writes it."""
    body = {"at": state.mark.offset, "hash": state.mark.hash, **x, "state": {}}
    return sealed(Record("snapshot", FOLD, LOG, "broker-1", 0, 2, EVERY, state.digest, body), text)


@given(words=TEXTS, at=st.sampled_from([1, TIME - 1, TIME, -TIME]), edits=EDITS, former=st.booleans())
def test_it_is_what_it_would_be_decoded(
    words: str, at: int, edits: list[tuple[int, int, bytes]], former: bool
) -> None:
    state, text = marked(state_with(words, at))
    if former:
        state, _ = marked(replace(state, offset=2 * EVERY))
    raw = snapshot(state, text)
    for number, length, put in edits:
        place = number % (len(raw) + 1)
        raw = raw[:place] + put + raw[place + length :]
    quick = of_the_mark(state, raw)
    try:
        whole = opened(raw)
    except BadRecord:
        assert quick is None
        return
    if quick is not None:
        assert quick == replace(whole, x={**whole.x, "state": AsMarked()})
        assert dump(state_with(words, at)) == text
    else:
        assert former or edits or at >= TIME - 1 or "," in words or "d800" in ascii(words)


def test_any_other_depth_than_a_bodys_is_decoded() -> None:
    state, text = marked(state_with("", 1))
    raw = snapshot(state, text)
    assert of_the_mark(state, raw) is not None
    deeper = raw.replace(b'"state":{', b'"a":{"state":{') + b"}"
    assert of_the_mark(state, deeper) is None
    assert of_the_mark(replace(state, mark=state.mark.__class__()), raw) is None


def test_a_state_of_hundreds_of_kilobytes_holds_nobody() -> None:
    """A fifth of what it takes decoded. Processor time, so that a busy machine spoils it less."""
    log = Scribe.born()
    one = log.join("broker-1")
    for number in range(2, 1_000):
        log.join(f"broker-{number}")
    while len(log.log) <= EVERY:
        text = log.raw(b"").marked
    assert text is not None
    assert len(text) > 390_000
    raw = snapshot(log.state, text)
    raw = raw.replace(b'"s":0,', f'"s":{one},'.encode())
    took, decoded = [], []
    for _ in range(5):
        begun = time.thread_time()
        opened(raw)
        decoded.append(time.thread_time() - begun)
        begun = time.thread_time()
        log.state, verdict = fold(log.state, type(log.log[-1])(len(log.log), 0, log.now, raw))
        took.append(time.thread_time() - begun)
        log.log.append(log.log[-1])
        assert verdict.record is not None
        assert isinstance(verdict.record.x["state"], AsMarked)
    assert min(took) < min(decoded) / 5
