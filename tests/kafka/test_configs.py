"""Dynamic values told apart from all others, and changes that were not answered read back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from fake_broker import HANG, FakeBroker
from kio.schema.describe_cluster.v2.response import DescribeClusterBroker, DescribeClusterResponse
from kio.schema.describe_configs.v4.response import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from kio.schema.errors import ErrorCode
from kio.schema.incremental_alter_configs.v1.response import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)
from kio.schema.types import BrokerId
from kio.static.primitive import i8, i32, i32Timedelta

from agent.kafka import admin as admin_calls
from agent.kafka.admin import Admin
from agent.kafka.configs import HIDDEN, ConfigChange, in_force, node_of, split_resource, values_of
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaInDoubt, KafkaRefused

_DESCRIBE, _ALTER, _CLUSTER = 32, 44, 60
_NO_TIME = i32Timedelta.parse(timedelta(0))
_RATE = "leader.replication.throttled.rate"
_SET = ConfigChange("broker/2", _RATE, "set", "100")


def _entry(name: str, value: str | None, source: int, *, sensitive: bool = False) -> Any:
    return DescribeConfigsResourceResult(
        name=name,
        value=value,
        read_only=False,
        config_source=i8(source),
        is_sensitive=sensitive,
        synonyms=(),
        documentation=None,
    )


def _described(kind: int, name: str, *entries: Any, error: ErrorCode = ErrorCode.none) -> Any:
    result = DescribeConfigsResult(
        error_code=error, error_message=None, resource_type=i8(kind), resource_name=name, configs=entries
    )
    return DescribeConfigsResponse(throttle_time=_NO_TIME, results=(result,))


_ALL_SOURCES = tuple(_entry(f"from-{source}", "x", source) for source in range(1, 9))


@pytest.mark.parametrize(
    ("kind", "name", "own"), [(2, "orders", "from-1"), (4, "2", "from-2"), (4, "", "from-3")]
)
def test_only_what_is_set_at_the_resource_itself_is_dynamic(kind: int, name: str, own: str) -> None:
    """A default of the cluster or of the file is not the broker's own: undoing it would not be ours."""
    answer = _described(kind, name, *_ALL_SOURCES)

    assert values_of(answer, dynamic=True) == {name: {own: "x"}}
    assert len(values_of(answer, dynamic=False)[name]) == 8


def test_a_password_is_seen_to_be_set_and_not_told() -> None:
    """Absent would mean that it is not set."""
    answer = _described(4, "2", _entry("ssl.key.password", None, 2, sensitive=True), _entry("null", None, 2))

    assert values_of(answer, dynamic=True) == {"2": {"ssl.key.password": HIDDEN}}


def test_a_topic_that_does_not_exist_has_no_values() -> None:
    """Topics come and go; any other error is one."""
    gone = _described(2, "orders", error=ErrorCode.unknown_topic_or_partition)

    assert values_of(gone, dynamic=True) == {}
    with pytest.raises(KafkaRefused, match="TOPIC_AUTHORIZATION_FAILED"):
        values_of(_described(2, "t", error=ErrorCode.topic_authorization_failed), dynamic=True)


@pytest.mark.parametrize(
    ("operation", "value", "present", "expected"),
    [
        ("set", "1", "1", True),
        ("set", "1", "2", False),
        ("set", "1", None, False),
        ("delete", None, None, True),
        ("delete", None, "", False),
        ("append", "0:1,1:1", "5:5,1:1,0:1", True),
        ("append", "0:1,1:1", "0:1", False),
        ("append", "0:1", None, False),
        ("subtract", "0:1", "1:1", True),
        ("subtract", "0:1", None, True),
        ("subtract", "0:1,1:1", "1:1", False),
    ],
)
def test_whether_a_change_is_in_force(
    operation: str, value: str | None, present: str | None, expected: bool
) -> None:
    """Lists are compared entry by entry, since others may add theirs; empty is not absent."""
    values = {} if present is None else {"key": present}

    assert in_force(ConfigChange("topic/t", "key", operation, value), values) is expected


@pytest.mark.parametrize("resource", ["broker", "broker/a", "group/x", "orders", ""])
def test_a_bad_resource_is_named(resource: str) -> None:
    """With an example of what is right."""
    with pytest.raises(ValueError, match="write it like broker/2 or topic/orders"):
        split_resource(resource)


def test_only_a_brokers_own_settings_have_one_broker_to_ask() -> None:
    """Another broker would refuse them."""
    assert [node_of(r) for r in ("broker/2", "broker/", "topic/2")] == [2, None, None]


@asynccontextmanager
async def _admin(
    altered: Callable[[int], Any], described: Callable[[int], Any], deadline: float = 1.0
) -> AsyncIterator[tuple[Admin, FakeBroker]]:
    """Broker 2, alone."""
    async with FakeBroker({_ALTER: altered, _DESCRIBE: described}) as fake:
        own = DescribeClusterBroker(
            broker_id=BrokerId(2), host="127.0.0.1", port=i32(fake.port), rack=None, is_fenced=False
        )
        fake.answers[_CLUSTER] = lambda _: DescribeClusterResponse(
            throttle_time=_NO_TIME, error_code=ErrorCode.none, cluster_id="c", brokers=(own,)
        )
        admin = Admin([fake.address], Security(), client_id="test", deadline=deadline)
        try:
            yield admin, fake
        finally:
            await admin.close()


def _answered(error: ErrorCode) -> Callable[[int], Any]:
    response = AlterConfigsResourceResponse(
        error_code=error, error_message="words", resource_type=i8(4), resource_name="2"
    )
    return lambda _: IncrementalAlterConfigsResponse(throttle_time=_NO_TIME, responses=(response,))


def _from_read(number: int) -> Callable[[int], Any]:
    """The value is there at the n-th read, as it is when it travels through the cluster."""
    return lambda count: _described(4, "2", *[_entry(_RATE, "100", 2)] * (count >= number))


@pytest.mark.parametrize(
    "altered", [lambda _: HANG, _answered(ErrorCode.request_timed_out)], ids=["silence", "timed out"]
)
async def test_a_change_that_is_found_in_force_is_made(
    altered: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody answered, or the broker gave up waiting; it is sent once and read until it shows."""
    monkeypatch.setattr(admin_calls, "_WRITE_SHARE", 0.1)  # of the deadline, which the silence takes
    async with _admin(altered, _from_read(2), deadline=10.0) as (admin, fake):
        await admin.alter_configs([_SET])

        assert (fake.asked.count(_ALTER), fake.asked.count(_DESCRIBE)) == (1, 3)


async def test_a_change_that_is_not_found_in_force_is_in_doubt() -> None:
    """It may still come: the controller can take a queued change seconds later. The deadline holds."""
    async with _admin(lambda _: HANG, _from_read(1_000), deadline=3.0) as (admin, _):
        began = asyncio.get_running_loop().time()
        with pytest.raises(KafkaInDoubt, match="incremental_alter_configs was sent"):
            await admin.alter_configs([_SET])

        assert asyncio.get_running_loop().time() - began < 1.5 * 3.0


async def test_a_change_that_cannot_be_read_back_is_in_doubt() -> None:
    """The broker went silent altogether."""
    async with _admin(lambda _: HANG, lambda _: HANG) as (admin, _):
        with pytest.raises(KafkaInDoubt):
            await admin.alter_configs([_SET])


async def test_a_refused_change_is_not_read_back() -> None:
    """Nothing was done; the broker's words are passed on."""
    async with _admin(_answered(ErrorCode.invalid_config), _from_read(0)) as (admin, fake):
        with pytest.raises(KafkaRefused, match="INVALID_CONFIG: broker/2: words"):
            await admin.alter_configs([_SET])

        assert _DESCRIBE not in fake.asked
