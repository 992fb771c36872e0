"""The names of Kafka's throttles (KIP-73, KIP-113) and the reading of their replica lists."""

from __future__ import annotations

FOLLOWER_RATE = "follower.replication.throttled.rate"
LEADER_RATE = "leader.replication.throttled.rate"
MOVE_RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
FOLLOWER_LIST = "follower.replication.throttled.replicas"
LEADER_LIST = "leader.replication.throttled.replicas"

RATES = (FOLLOWER_RATE, LEADER_RATE, MOVE_RATE)  # on brokers, bytes a second
LISTS = (FOLLOWER_LIST, LEADER_LIST)  # on topics, `partition:broker` each
LIST_OF = {FOLLOWER_RATE: FOLLOWER_LIST, LEADER_RATE: LEADER_LIST}  # a rate works only on what its list names
EVERYTHING = "*"
UNLIMITED = str(2**63 - 1)  # Kafka's default, which some brokers tell as if it were set


def prior_of(value: str | None) -> str | None:
    """What a rate that is free to be set was: absent, or lifted by hand, as Kafka's default set there."""
    return UNLIMITED if value == UNLIMITED else None


def entries(value: str | None) -> tuple[str, ...]:
    """The entries of a list in their order; absent and empty have none."""
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def entries_of(value: str | None, broker: int) -> tuple[str, ...]:
    """The entries that name this broker; `*` names nobody in particular."""
    return tuple(e for e in entries(value) if e.rpartition(":")[2] == str(broker))
