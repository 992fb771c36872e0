"""Where the sources know it from."""

from agent.lone_thread import LoneThread

__all__ = ["LoneThread"]
