"""Series that an agent keeps beside those which its rules read: a recording must hold what the gate knew, and
which sources and parts of them were down."""

from __future__ import annotations

from agent.sources.schedule import UNREAD, UP

SOURCE_UP = UP
REASSIGNING = "kafka_admin_reassigning_partitions"
UNDER_MIN_ISR = "kafka_admin_under_min_isr_partitions"
OFFLINE = "kafka_admin_offline_partitions"
FENCED = "kafka_admin_fenced_brokers"

WORLD = (REASSIGNING, UNDER_MIN_ISR, OFFLINE, FENCED)
NAMES = frozenset({*WORLD, UP, UNREAD})
