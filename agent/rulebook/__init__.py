"""Rules as people write them: alerts, remedies and log patterns from a folder of YAML files."""

from agent.rulebook.load import BadRules, Rulebook, load
from agent.yaml_marks import Complaint

__all__ = ["BadRules", "Complaint", "Rulebook", "load"]
