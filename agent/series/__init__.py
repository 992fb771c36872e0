"""The window store: what rules read, and no more than they read."""

from agent.series.store import Series
from agent.series.touched import Touched

__all__ = ["Series", "Touched"]
