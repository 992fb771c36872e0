"""YAML files read for people: every key and value knows its place, and every problem is told at once."""

from agent.yaml_marks.complaints import BadFiles, Complaint, Complaints, Severity, closest
from agent.yaml_marks.compose import compose
from agent.yaml_marks.forms import Form, Wrong
from agent.yaml_marks.nodes import Fields, Items, Node, Scalar
from agent.yaml_marks.render import as_github, as_json, as_text
from agent.yaml_marks.shapes import Outline, shape_of, shaped

__all__ = [
    "BadFiles",
    "Complaint",
    "Complaints",
    "Fields",
    "Form",
    "Items",
    "Node",
    "Outline",
    "Scalar",
    "Severity",
    "Wrong",
    "as_github",
    "as_json",
    "as_text",
    "closest",
    "compose",
    "shape_of",
    "shaped",
]
