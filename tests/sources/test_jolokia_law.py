"""Laws of Jolokia's answers: any world of MBeans is read as it is, and any bytes are samples or a failure.

OTTLA_FUZZ_SECONDS lengthens the fuzz; what it finds is printed with the bytes.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from damage import damaged
from hypothesis import example, given
from hypothesis import strategies as st
from jolokia_answers import ABSENT, ALONE, GAUGE, LOWER, OF_ONE, OF_PATTERN, ONE, PATTERN, PIECES, answer

from agent.model import Sample
from agent.sources.jmx_names import JmxMetric, is_pattern, labels_of_object
from agent.sources.jolokia_reads import UNREADABLE, EntryFailed, Read, decode

SECONDS = float(os.environ.get("OTTLA_FUZZ_SECONDS", "2"))

WORDS = st.text(st.sampled_from("ab1.-_%"), min_size=1, max_size=4)  # what the broker leaves unquoted
TEXTS = st.text(st.sampled_from('a,=:"*?\\\n /é{}'), max_size=6)  # what it quotes
PROPERTIES = st.dictionaries(st.sampled_from(("topic", "log-dir", "9k")), WORDS | TEXTS, max_size=3)
NUMBERS = st.integers() | st.floats() | st.booleans()
VALUES = NUMBERS | st.none() | st.sampled_from(("NaN", "Infinity", "-Infinity", "1_0", " 1", "٣", "", "x"))
LABEL_NAMES = {"topic": "topic", "log-dir": "log_dir", "9k": "_9k"}


@dataclass(frozen=True)
class Bean:
    """One MBean: its key properties but type, and its attributes."""

    properties: tuple[tuple[str, str], ...]
    attributes: Mapping[str, Any]

    @property
    def name(self) -> str:
        """As JMX writes it."""
        return "d:" + ",".join(["type=T", *(f"{key}={written(value)}" for key, value in self.properties)])


BEANS = st.builds(
    Bean,
    PROPERTIES.map(lambda properties: tuple(properties.items())),
    st.fixed_dictionaries(
        {},
        optional={
            "Value": VALUES,
            "Other": VALUES,
            "Usage": VALUES | st.fixed_dictionaries({"max": NUMBERS}, optional={"used": VALUES}),
        },
    ),
)
WORLDS = st.lists(BEANS, max_size=4, unique_by=lambda bean: tuple(sorted(bean.properties)))


def written(value: str) -> str:
    """As Kafka writes a key property: quoted by JMX's rules where it holds more than word characters."""
    if value and all(c in "ab1.-_%" for c in value):
        return value
    escaped = "".join(f"\\{c}" if c in '"\\*?' else "\\n" if c == "\n" else c for c in value)
    return f'"{escaped}"'


def told(value: Any) -> Any:
    """As Jolokia writes a value in JSON, which has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def meant(value: Any) -> float | None:
    """The number in an attribute, by cases and not by parsing."""
    infinities = {"Infinity": math.inf, "-Infinity": -math.inf}
    if isinstance(value, str):
        return infinities.get(value)
    if isinstance(value, int | float) and not math.isnan(value):
        return float(value)
    return None


def expected(world: list[Bean]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The series of a world, straight from its parts."""
    found = {}
    for bean in world:
        labels = {LABEL_NAMES[key]: value for key, value in bean.properties}
        usage = bean.attributes.get("Usage")
        used = usage.get("used") if isinstance(usage, dict) else None
        for name, extra, value, divisor in (
            ("g", {}, bean.attributes.get("Value"), 1),
            ("g", {"area": "u"}, used, 1),
            ("l", {"kind": "o"}, bean.attributes.get("Other"), 4),
        ):
            number = meant(value)
            if number is not None:
                found[name, tuple(sorted({**labels, **extra}.items()))] = number / divisor
    return found


def read_of() -> Read:
    return Read(PATTERN, (("g", GAUGE), ("l", LOWER)))


@given(WORLDS)
@example([Bean((("topic", '"a,b"'),), {"Value": 1}), Bean((("topic", "*"),), {"Value": 2})])
def test_a_world_of_mbeans_is_read_as_it_is(world: list[Bean]) -> None:
    """Whatever its names hold and its values are; twice, for the labels are remembered."""
    read = read_of()
    answer = {bean.name: {name: told(value) for name, value in bean.attributes.items()} for bean in world}
    body = json.dumps([{"status": 200, "value": answer}]).encode()

    for at in (7, 8):
        failed: list[str] = []
        (entry,) = decode(body)
        samples = [s for found in read.samples(read.objects(entry), at, failed) for s in found]

        assert {(s.name, s.labels): s.value for s in samples} == expected(world)
        assert len(samples) == len(expected(world))
        assert {s.at for s in samples} <= {at}
        assert failed == []


@given(st.text(st.sampled_from('a,=:"*?\\\n'), max_size=8))
def test_a_quoted_name_is_never_a_pattern_and_its_value_comes_back(value: str) -> None:
    """For any value at all."""
    name = f"d:type=T,key={written(value)}"

    assert not is_pattern(name)
    assert labels_of_object(name) == (("key", value),)
    assert is_pattern(f"{name},*")
    assert is_pattern('d:type=T,key="*"')
    assert is_pattern("d:type=T,key=a?")


def test_two_mbeans_of_one_series_are_told() -> None:
    """Only the first is taken: the store would keep one of them, and nobody would know which."""
    read = Read(PATTERN, (("g", JmxMetric(PATTERN, "gauge", (("Value", ()),), "", labels=(("topic", ""),))),))
    failed: list[str] = []

    beans = {"d:type=T,topic=a": {"Value": 1}, "d:type=T,topic=b": {"Value": 2}}
    told = "d:type=T,topic=b has the labels of another MBean: name what tells them apart"
    for _ in range(2):
        found = [sample for some in read.samples(beans, 7, failed) for sample in some]
        assert found == [Sample("g", (), 7, 1.0)]
    assert failed == [told, told]


# Fuzz: bytes that were an answer once.

_VALID = answer(OF_PATTERN, ABSENT, OF_ONE)


def taken(body: bytes) -> int:
    """How many samples the bytes give, all of them sound; UNREADABLE or EntryFailed otherwise."""
    count = 0
    for entry, read in zip(decode(body), (read_of(), read_of(), Read(ALONE, (("g", ONE),))), strict=False):
        failed: list[str] = []
        for found in read.samples(read.objects(entry), 7, failed):
            for sample in found:
                assert isinstance(sample.value, float), sample
                assert not math.isnan(sample.value), sample
                assert all(
                    name.isidentifier() and value.encode() is not None for name, value in sample.labels
                )
                assert len({name for name, _ in sample.labels}) == len(sample.labels), sample
                count += 1
    return count


def test_any_bytes_are_samples_or_a_failure_that_is_expected() -> None:
    """Nothing else is ever raised: a broken answer is a failed reading, not a dead agent."""
    chance = random.Random(20_261_128)
    until = time.monotonic() + SECONDS
    tried = refused = samples = 0
    while time.monotonic() < until:
        body = damaged(_VALID, chance, PIECES)
        tried += 1
        try:
            samples += taken(body)
        except (*UNREADABLE, EntryFailed):
            refused += 1
        except Exception as error:
            error.add_note(f"at the bytes {body!r}")
            raise
    print(f"{tried} answers: {refused} refused, {samples} samples of the others")
    assert refused > 0
    assert samples > 0


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"\xff\xfe[", b"[" * 100_000, b'[{"status":200,"value":' + b"[" * 100_000, b"7", b"null"],
)
def test_bytes_that_are_no_list_of_entries(body: bytes) -> None:
    """Nothing, half of something, no UTF-8, too deep."""
    with pytest.raises(UNREADABLE):
        decode(body)
