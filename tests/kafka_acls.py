"""The grants that docs/security.md lists, given to a principal of a lab as kafka-acls.sh would give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from agent.kafka.bridge import Call
from agent.kafka.cluster import Cluster
from agent.kafka.connection import Security
from agent.kafka.errors import check
from agent.lab.cluster import Lab

PAGE = Path(__file__).parent.parent / "docs" / "security.md"
# org.apache.kafka.common.acl.AclOperation, org.apache.kafka.common.resource.ResourceType
_OPERATIONS = {
    "Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11,
}  # fmt: skip
_TOPIC, _CLUSTER = 2, 4
_LITERAL, _ALLOW = 3, 3


class Grant(NamedTuple):
    """One operation on one resource; a topic's name, `*` for all of them, or `` for the cluster."""

    topic: str
    operation: str


def documented() -> tuple[Grant, ...]:
    """What the page's commands grant, in their order."""
    lines = re.findall(r"^acl (.+)$", PAGE.read_text(), re.MULTILINE)
    found = []
    for line in lines:
        resource = re.match(r"--cluster |--topic '?([\w*-]+)'? ", line)
        assert resource, f"docs/security.md: what does this grant? {line}"
        operations = re.findall(r"--operation (\w+)", line)
        assert operations, f"docs/security.md: which operation? {line}"
        found += [Grant(resource[1] or "", operation) for operation in operations]
    return tuple(found)


async def grant(lab: Lab, principal: str, grants: Iterable[Grant]) -> None:
    """Asked by the lab's super user. A broker knows of it a moment later."""
    wanted = tuple(grants)

    def build(m: ModuleType) -> Any:
        return m.CreateAclsRequest(creations=tuple(_creation(m, principal, one) for one in wanted))

    cluster = Cluster(lab.bootstrap, Security(), client_id="test-acls", deadline=10)
    try:
        answer = await cluster.ask(Call("create_acls", 30, 2, 3, build, write=True))
    finally:
        await cluster.close()
    assert len(answer.results) == len(wanted)
    for result in answer.results:
        check("create_acls", result.error_code, result.error_message)


def _creation(m: ModuleType, principal: str, one: Grant) -> Any:
    return m.AclCreation(
        resource_type=_TOPIC if one.topic else _CLUSTER,
        resource_name=one.topic or "kafka-cluster",
        resource_pattern_type=_LITERAL,
        principal=f"User:{principal}",
        host="*",
        operation=_OPERATIONS[one.operation],
        permission_type=_ALLOW,
    )
