"""Series that an agent keeps beside those which its rules read: a recording must hold what the gate knew."""

from __future__ import annotations

SOURCE_UP = "ottla_source_up"
REASSIGNING = "kafka_admin_reassigning_partitions"
UNDER_MIN_ISR = "kafka_admin_under_min_isr_partitions"
OFFLINE = "kafka_admin_offline_partitions"
FENCED = "kafka_admin_fenced_brokers"

WORLD = (REASSIGNING, UNDER_MIN_ISR, OFFLINE, FENCED)
NAMES = frozenset({*WORLD, SOURCE_UP})
