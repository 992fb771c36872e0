"""JSON Schema (draft 2020-12) of every kind of file that people write, for their editors."""

from agent.schemas.kinds import KINDS, schema

__all__ = ["KINDS", "schema"]
