"""The codec (coordination.md section 2): canonical records only, and total on any bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scribe import LOG, effect

from agent.control.bodies import BODIES
from agent.control.records import BadRecord, Record, decode, encode
from agent.control.table import TABLE

BEAT = Record("beat", 1, LOG, "broker-1", 3, 7, 12, "ab" * 32, {"status": "", "firing": []})


def beat(**changes: object) -> bytes:
    fields = {"a": "broker-1", "b": 12, "d": "ab" * 32, "f": 1, "log": LOG, "n": 7, "s": 3, "t": "beat"}
    value = {**fields, "x": {"firing": [], "status": ""}, **changes}
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def reason(raw: bytes) -> str:
    with pytest.raises(BadRecord) as caught:
        decode(raw)
    return str(caught.value)


def test_a_record_comes_back_as_it_was_written() -> None:
    assert encode(BEAT) == beat()
    assert decode(beat()) == BEAT


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not printable ASCII"),
        (b"\xff\xfe", "not printable ASCII"),
        (beat() + b"\n", "not printable ASCII"),
        (beat().replace(b",", b", ", 1), "not canonical"),
        (b'{"x":{},"x":{}}', "not canonical"),
        (b"-0", "not canonical"),
        (b"{", "not JSON"),
        (b"[" * 60_000, "too deep"),
        (b"[" * 9 + b'"' + b'\\"' * 400_000, "too deep"),  # at once: no string of it is looked at twice
        (b"[" * 8 + b'"' + b'\\"' * 400_000 + b"[", "not JSON"),
        (b"[" * 9 + b"]" * 9, "too deep"),
        (b"1.5", "not an integer"),
        (b"1e3", "not an integer"),
        (b"NaN", "not an integer"),
        (b"9" * 5_000, "integer out of range"),
        (b"9223372036854775808", "integer out of range"),
        (b'"' + b"a" * 1_000_000 + b'"', "too long"),
        (b'{"\\ud800":1}', "not Unicode"),
        (b"[]", "not an envelope"),
        (beat(extra=1), "not an envelope"),
        (beat(n=True), "not an envelope"),
        (beat(a="controller-1"), "not an envelope"),
        (beat(d="AB" * 32), "not an envelope"),
        (beat(t="elect"), "unknown type"),
        (beat(x={}), "not a body of type beat"),
        (beat(x={"firing": [], "status": "a" * 513}), "not a body of type beat"),
        (beat(x={"firing": ["A"] * 33, "status": ""}), "not a body of type beat"),
        (beat(t="note", x={"entry": "a" * 4_097}), "not a body of type note"),
        (beat(t="release", x={"id": 1, "token": 1, "outcome": "lost"}), "not a body of type release"),
    ],
)
def test_anything_else_is_void_for_the_same_reason_everywhere(raw: bytes, why: str) -> None:
    assert reason(raw) == why


def test_a_snapshot_may_be_longer_than_other_records() -> None:
    snapshot = {"at": 0, "hash": "ab" * 32, "state": {"a": "b" * 100_000}}
    assert decode(beat(t="snapshot", x=snapshot)).x == snapshot
    assert reason(beat(t="beat", x=snapshot)) == "too long"
    assert reason(beat(t="snapshot", x={**snapshot, "state": {"a": "b" * 1_000_000}})) == "too long"


def test_every_type_of_section_2_has_a_body_and_a_row_in_the_table() -> None:
    names = (
        "genesis join beat leave note claim intent release expire adopt found snapshot pause budget params"
    )
    assert set(BODIES) == set(TABLE) == {*names.split(), "resolve", "raise"}


def test_brackets_within_strings_are_not_depth() -> None:
    assert decode(beat(t="note", x={"entry": '[[[[[[[[[[{"a":"\\"[["}'})).x["entry"].startswith("[[")


def test_text_beyond_ascii_travels_escaped() -> None:
    note = Record("note", 1, LOG, "broker-1", 3, 7, 12, "ab" * 32, {"entry": "größer 🙂"})
    assert decode(encode(note)) == note


def test_what_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(BadRecord, match="not a body of type intent"):
        encode(Record("intent", 1, LOG, "broker-1", 3, 7, 12, "ab" * 32, {"effect": effect("k")}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.binary() | json_values.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_a_record_or_a_bad_one(raw: bytes) -> None:
    try:
        decode(raw)
    except BadRecord:
        reason(raw)


@given(st.sampled_from(sorted(json.loads(beat()))), json_values)
def test_any_value_in_any_field_is_a_record_or_a_bad_one(name: str, value: object) -> None:
    raw = beat(**{name: value})
    try:
        assert encode(decode(raw)) == raw
    except BadRecord:
        reason(raw)
