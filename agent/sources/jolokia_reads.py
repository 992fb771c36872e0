"""Jolokia's protocol: what is asked of one MBean or pattern, and the samples in its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

import msgspec

from agent.model import Labels, Sample
from agent.sources.jmx_names import JmxMetric, is_pattern, labels_of_object

# Jolokia writes NaN and infinities as text or null, and nests composite and tabular values.
Value = float | str | bool | None | dict[str, Any] | list[Any]
Objects = Mapping[str, Mapping[str, Value]]  # ObjectName → attribute → value

# What msgspec raises at bytes that are no JSON of the shape asked for, at bad UTF-8, and at deep nesting.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_ABSENT = ("InstanceNotFoundException", "AttributeNotFoundException")
# Python's float() takes more than numbers are written like: 1_000, other scripts' digits.
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?Infinity", re.ASCII)
_SPARE = 1_000  # ObjectNames remembered beyond twice those of the last answer
_LONGEST_ERROR = 300
_SLICE = 500  # MBeans between two looks at the event loop: 2 ms


class EntryFailed(Exception):
    """One of the bulk's reads went wrong, or a part of it; the others stand."""


class Entry(msgspec.Struct, gc=False):
    """The answer to one read request of the bulk."""

    status: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None


_ENTRIES = msgspec.json.Decoder(list[Entry])
_ONE = msgspec.json.Decoder(dict[str, Value])
_MANY = msgspec.json.Decoder(dict[str, dict[str, Value]])


def decode(body: bytes) -> list[Entry]:
    """The entries of a bulk's answer, their values still unread. Raises UNREADABLE."""
    return _ENTRIES.decode(body)


class _Series:
    """One attribute of the MBeans that becomes a series of each."""

    __slots__ = ("attribute", "constant", "divisor", "inner", "labels", "name")

    def __init__(self, name: str, metric: JmxMetric, path: str, constant: Labels) -> None:
        self.name = name
        self.attribute, *self.inner = path.split("/")  # and the way into a composite or tabular value
        self.constant = constant
        self.divisor = metric.divisor
        self.labels = metric.labels

    def labels_in(self, object_name: str) -> Labels:
        """The labels of one MBean's series; a constant one stands above a key property."""
        found = labels_of_object(object_name, self.labels)
        return tuple(sorted({**dict(found), **dict(self.constant)}.items())) if self.constant else found


class Read:
    """One read request, and the series that its answer holds."""

    def __init__(self, mbean: str, metrics: Sequence[tuple[str, JmxMetric]]) -> None:
        self.mbean = mbean
        self._many = is_pattern(mbean)
        self.names = frozenset(name for name, _ in metrics)
        self.erred = set[str]()  # of the last answer: those whose attribute erred, at one MBean at least
        self._series = tuple(_Series(n, m, path, labels) for n, m in metrics for path, labels in m.reads)
        self._labels: dict[str, tuple[Labels, ...]] = {}  # by ObjectName: they cost more than all the rest
        self._owners: dict[tuple[str, Labels], str] = {}
        self._twins = False  # two ObjectNames had the same labels

    @property
    def request(self) -> bytes:
        """The request in JSON. Errors of one attribute must not hide the others'."""
        attributes = sorted({series.attribute for series in self._series})
        config = {"ignoreErrors": "true"}
        return msgspec.json.encode(
            {"type": "read", "mbean": self.mbean, "attribute": attributes, "config": config}
        )

    def objects(self, entry: Entry) -> Objects:
        """The attributes by ObjectName, none where the MBean is absent; EntryFailed where it erred."""
        self.erred = set(self.names) if entry.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.OK) else set()
        if entry.status == HTTPStatus.NOT_FOUND:
            return {}
        if entry.status != HTTPStatus.OK:
            raise EntryFailed(f"status {entry.status}: {(entry.error or 'no reason')[:_LONGEST_ERROR]}")
        try:
            found = _MANY.decode(entry.value) if self._many else {self.mbean: _ONE.decode(entry.value)}
        except UNREADABLE as error:
            self.erred |= self.names
            raise EntryFailed(f"an answer of another shape: {error}") from error
        if len(self._labels) > 2 * len(found) + _SPARE:
            self._labels.clear()
            self._owners.clear()
            self._twins = False
        return found

    def samples(self, objects: Objects, at: int, failed: list[str]) -> Iterator[list[Sample]]:
        """The numbers in an answer, those of so many MBeans at a time that the event loop can wait.

        What is wrong with some of them goes into `failed`: attributes that erred, and MBeans that would give
        a series which another one has given already.
        """
        new = iter([name for name in objects if name not in self._labels])
        while some := list(islice(new, _SLICE)):
            for name in some:
                self._learn(name)
            yield []
        names = iter(objects)
        seen: set[tuple[str, Labels]] = set()
        while some := list(islice(names, _SLICE)):
            samples: list[Sample] = []
            for name in some:
                found = self._of_one(name, objects[name], at, failed)
                if self._twins and not _take(found, seen):
                    failed.append(f"{name} has the labels of another MBean: name what tells them apart")
                else:
                    samples += found
            yield samples

    def _of_one(
        self, object_name: str, attributes: Mapping[str, Value], at: int, failed: list[str]
    ) -> list[Sample]:
        found = []
        for series, own in zip(self._series, self._labels[object_name], strict=True):
            value: Value = attributes.get(series.attribute)
            for key in series.inner:
                value = value.get(key) if isinstance(value, dict) else None
            number = value if value.__class__ is float else number_of(value)
            if number is not None:
                found.append(Sample(series.name, own, at, number / series.divisor))
        for value in attributes.values():
            if value.__class__ is dict:
                erred = errors_of(attributes)
                failed += erred.values()
                self.erred |= {series.name for series in self._series if series.attribute in erred}
                break
        return found

    def _learn(self, object_name: str) -> None:
        labels = tuple(series.labels_in(object_name) for series in self._series)
        for series, own in zip(self._series, labels, strict=True):
            owner = self._owners.setdefault((series.name, own), object_name)
            self._twins = self._twins or owner != object_name
        self._labels[object_name] = labels


def _take(samples: list[Sample], seen: set[tuple[str, Labels]]) -> bool:
    """Whether nobody has given these series before."""
    keys = {(sample.name, sample.labels) for sample in samples}
    fresh = seen.isdisjoint(keys)
    if fresh:
        seen |= keys
    return fresh


def errors_of(attributes: Mapping[str, Value]) -> Mapping[str, str]:
    """The attributes that erred, and how; that one is absent is no error."""
    found = {}
    for attribute, value in attributes.items():
        kind = str(value.get("error_type", "")) if isinstance(value, dict) else ""
        if kind and not kind.endswith(_ABSENT):
            found[attribute] = f"{attribute}: {kind}: {value}"[:_LONGEST_ERROR]
    return found


def number_of(value: Value) -> float | None:
    """A value as Jolokia gives it; None where there is no number in it. So is NaN, which is null
    as a missing value is, or a text; an exporter gives a sample of it (docs/configuration.md)."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer inside a composite value may have any length
        return None
