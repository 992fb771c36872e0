"""What the control topic is told of the agent that a configuration is for."""

from __future__ import annotations

import socket

from agent.config.settings import Config
from agent.control.times import Settings
from agent.version import VERSION


def participant(config: Config, *, create: bool) -> Settings:
    """`create`: whether it may let the topic's log be born."""
    control = config.control
    return Settings(
        agent=f"broker-{config.broker.node_id}",
        host=socket.gethostname(),
        topic=control.topic,
        times=control.times,
        budgets=control.budgets,
        create=create,
        version=VERSION,
    )
