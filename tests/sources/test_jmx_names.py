"""ObjectNames to labels."""

from __future__ import annotations

import pytest

from agent.sources.jmx_names import labels_of_object


@pytest.mark.parametrize(
    ("object_name", "labels"),
    [
        ("kafka.server:type=ReplicaManager,name=LeaderCount", {}),
        ("kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec,topic=orders", {"topic": "orders"}),
        (
            "kafka.server:clientId=ReplicaFetcherThread-0-3,name=ConsumerLag,partition=4,topic=a.b,type=FetcherLagMetrics",
            {"clientId": "ReplicaFetcherThread-0-3", "partition": "4", "topic": "a.b"},
        ),
        ('kafka.log:type=LogManager,name=LogDirectoryOffline,logDirectory="/d/1"', {"logDirectory": "/d/1"}),
        ('kafka.log:logDirectory="/d,type=x/1",name=N,type=T', {"logDirectory": "/d,type=x/1"}),
        (r'kafka.log:logDirectory="/a\"b\\c\*",name=N', {"logDirectory": r'/a"b\c*'}),
        ("kafka.log:type=T,logDirectory=", {"logDirectory": ""}),
        ('kafka.log:type=T,logDirectory=""', {"logDirectory": ""}),
        ("d:type=T,client-id=a,client_id=b", {"client_id": "a"}),
    ],
    ids=[
        "no labels",
        "one",
        "any order",
        "quoted",
        "quoted separators",
        "escapes",
        "empty",
        "empty quoted",
        "two of one label",
    ],
)
def test_key_properties_become_labels(object_name: str, labels: dict[str, str]) -> None:
    """All but type and name; quotes and escapes are JMX's, not the value's."""
    assert dict(labels_of_object(object_name)) == labels


def test_the_property_name_can_be_a_label() -> None:
    """Garbage collectors are told apart by it, and their names hold spaces."""
    object_name = "java.lang:name=G1 Young Generation,type=GarbageCollector"

    assert labels_of_object(object_name, (("name", "gc"),)) == (("gc", "G1 Young Generation"),)
