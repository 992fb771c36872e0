"""Kill a broker's process with SIGKILL.

Its partitions are led by others after the broker's session, four seconds here. heal starts it again and
waits until it runs; it recovers its logs, as after any unclean end.
"""

from __future__ import annotations

from agent.lab.cluster import Lab
from agent.lab.jars import Say


async def break_(lab: Lab, broker: int, say: Say) -> str:
    """Kill it; nothing if it is not running."""
    say(f"killing broker {broker}")
    await lab.kill(broker)
    return f"broker {broker} is killed"


async def heal(lab: Lab, broker: int, say: Say) -> str:
    """Start it and wait until it is running."""
    say(f"starting broker {broker}")
    await lab.start_broker(broker)
    return f"broker {broker} is running"
