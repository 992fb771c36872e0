"""A deterministic simulator of the control topic: real agents, a simulated world (docs/coordination.md)."""
