"""Set a replication throttle on a broker and forget it, as a reassignment that was never verified does.

The leader and follower rates are set on the broker, and on every topic with replicas there the lists that
put them under it. Nothing is slow until a replica falls behind; then it may never catch up. heal removes
the two rates, and this broker's entries from the lists.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.kafka.admin import Admin
from agent.kafka.configs import ConfigChange
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaError
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.jars import Say

_RATES = ("follower.replication.throttled.rate", "leader.replication.throttled.rate")
_LISTS = ("follower.replication.throttled.replicas", "leader.replication.throttled.replicas")


async def break_(lab: Lab, broker: int, say: Say, *, rate: int = 1_000_000) -> str:
    """Set the throttle: `rate` is bytes a second."""
    say(f"setting a throttle on broker {broker}")
    rates = [ConfigChange(f"broker/{broker}", key, "set", str(rate)) for key in _RATES]
    topics = await _alter(lab, broker, "append", rates)
    return f"broker {broker} is throttled to {rate} B/s for its replicas of {', '.join(topics) or 'no topic'}"


async def heal(lab: Lab, broker: int, say: Say) -> str:
    """Remove it."""
    say(f"removing the throttle of broker {broker}")
    rates = [ConfigChange(f"broker/{broker}", key, "delete", None) for key in _RATES]
    await _alter(lab, broker, "subtract", rates)
    return f"broker {broker} has no throttle"


async def _alter(lab: Lab, broker: int, operation: str, rates: list[ConfigChange]) -> list[str]:
    """Make the changes of the rates, and of the lists of all topics concerned; these topics' names."""
    admin = Admin(lab.bootstrap, Security(), client_id="ottla-lab")
    try:
        entries = await _entries(admin, broker)
        lists = [
            ConfigChange(f"topic/{topic}", key, operation, value)
            for topic, value in entries.items()
            for key in _LISTS
        ]
        await admin.alter_configs([*lists, *rates])
    except KafkaError as error:
        raise LabError(f"the throttle could not be changed: {error}", "ottla lab status") from error
    finally:
        await admin.close()
    return sorted(entries)


async def _entries(admin: Admin, broker: int) -> Mapping[str, str]:
    """Of every topic but Kafka's own, the list entries of its replicas on the broker: `0:2,3:2`."""
    found: dict[str, list[str]] = {}
    for partition in await admin.partitions():
        if broker in partition.replicas and not partition.topic.startswith("__"):
            found.setdefault(partition.topic, []).append(f"{partition.partition}:{broker}")
    return {topic: ",".join(entries) for topic, entries in found.items()}
