"""A snapshot whose writer's memory was damaged, or who means harm: its state is not the log's."""

from __future__ import annotations

import json

from agent.control.canonical import canonical
from agent.control.digests import sha256


def forged(snapshot: bytes, *, consistent: bool) -> bytes:
    """One more of everything may be done at once; `consistent`: the hash is that of the state that it has."""
    record = json.loads(snapshot)
    for budget in record["x"]["state"]["budgets"].values():
        budget["cap"] += 1
    if consistent:
        record["x"]["hash"] = sha256(canonical(record["x"]["state"]))
    return canonical(record).encode()
