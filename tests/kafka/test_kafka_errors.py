"""Error codes of brokers newer than kio, and which answers leave a write in doubt."""

from __future__ import annotations

import pytest
from kio.schema.describe_cluster.v2 import DescribeClusterResponse
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from agent.kafka.errors import KafkaInDoubt, KafkaRefused, check, error_name


def test_an_answer_with_a_code_from_the_future_is_read() -> None:
    """Code 399 is in no Kafka of today; the rest of such an answer is still good."""
    raw = b"\0\0\0\0" + (399).to_bytes(2, "big") + b"\0\1\2x\0\0\0\7\1\x80\0\0\0\0"
    answer, size = entity_reader(DescribeClusterResponse)(raw, 0)

    assert (int(answer.error_code), answer.controller_id, size) == (399, 7, len(raw))
    assert error_name(answer.error_code) == "ERROR_399"


@pytest.mark.parametrize(
    ("code", "name"),
    [(0, "NONE"), (-1, "UNKNOWN_SERVER_ERROR"), (42, "INVALID_REQUEST"), (5_000, "ERROR_5000")],
)
def test_names_are_those_of_kafkas_documentation(code: int, name: str) -> None:
    """A code beyond what anybody expects has a name as well."""
    assert error_name(code) == name


def test_kios_own_codes_are_left_as_they_are() -> None:
    """Admitting new codes must not rename the known ones."""
    assert ErrorCode(56) is ErrorCode.kafka_storage_error


def test_a_refusal_names_the_error_and_the_brokers_words() -> None:
    """Refused means that nothing was done, for reads and writes alike."""
    with pytest.raises(KafkaRefused, match="api refused with INVALID_CONFIG: negative") as caught:
        check("api", 40, "negative", write=True)

    assert (caught.value.code, caught.value.name) == (40, "INVALID_CONFIG")


@pytest.mark.parametrize("code", [-1, 7, 13, 20])
def test_a_write_that_may_have_been_done_is_in_doubt(code: int) -> None:
    """The broker's own time-out does not tell what the controller will do; a read is simply refused."""
    with pytest.raises(KafkaInDoubt):
        check("api", code, write=True)
    with pytest.raises(KafkaRefused):
        check("api", code)
