"""Stop a broker's process with SIGSTOP, as a long garbage collection or a hung disk would.

Its sockets go on accepting and nothing answers; after four seconds without a heartbeat it is fenced. heal
lets it go on with SIGCONT.
"""

from __future__ import annotations

from agent.lab.cluster import Lab
from agent.lab.jars import Say


async def break_(lab: Lab, broker: int, say: Say) -> str:
    """Pause it."""
    say(f"pausing broker {broker}")
    lab.pause(broker)
    return f"broker {broker} is paused"


async def heal(lab: Lab, broker: int, say: Say) -> str:
    """Let it go on."""
    say(f"letting broker {broker} go on")
    lab.resume(broker)
    return f"broker {broker} goes on"
