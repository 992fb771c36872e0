"""server.properties as Java and Kafka read it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.server_properties import ServerProperties, parse, properties


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=b", {"a": "b"}),
        ("a : b\nc d", {"a": "b", "c": "d"}),
        ("  # a=b\n! c=d\n e = f = g ", {"e": "f = g "}),
        ("a=b\\\n   c\nd=e", {"a": "bc", "d": "e"}),
        ("a=b\\\\\nd=e", {"a": "b\\", "d": "e"}),
        ("# comment \\\na=b", {"a": "b"}),
        ("a\\=b=c\\u0041\\t", {"a=b": "cA\t"}),
        ("a=/\\uD83D\\uDE00", {"a": "/\U0001f600"}),
        ("a=/\\uDE00\\uD83D", {"a": "/??"}),
        ("a=1\r\na=2\r\n", {"a": "2"}),
        ("a", {"a": ""}),
        ("", {}),
        ("a=/b,\\\n  #/c,\\\n  !/d,\\\n  /e", {"a": "/b,#/c,!/d,/e"}),
        ("#a=1\rb=2", {"b": "2"}),
        ("a=/b\\", {"a": "/b"}),
        ("a\u00a0b\x0b=1", {"a\u00a0b\x0b": "1"}),
        ("=a", {"": "a"}),
        ("a=b,\\\n\nc=d", {"a": "b,", "c": "d"}),
        ("\\\n#a=b\nc=d", {"c": "d"}),
    ],
)
def test_the_format_is_that_of_java_util_properties(text: str, found: dict[str, str]) -> None:
    """Comments, the three separators, continued lines, escapes, the last of equal keys."""
    assert properties(text) == found


def test_what_an_agent_needs_is_read_as_kafka_reads_it() -> None:
    """log.dirs stands above log.dir, node.id above broker.id."""
    text = (
        "broker.id=1\nnode.id=2\nlog.dir=/x\nlog.dirs=/a, /b\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093"
    )
    assert parse(text) == ServerProperties(2, ("/a", "/b"), ("PLAINTEXT://:9092", "CONTROLLER://:9093"))
    assert parse("broker.id=1\nlog.dir=/x") == ServerProperties(1, ("/x",), ())
    assert parse("node.id=${X}") == ServerProperties(None, (), ())
    assert parse("process.roles = broker, controller").roles == ("broker", "controller")


@settings()  # a busy machine is no mistake
@given(st.text("a=: \\#!u0041\r\n\t", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    """Never an exception."""
    properties(text)
