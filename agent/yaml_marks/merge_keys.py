"""Merge keys, `<<: *base`, as in YAML 1.1 and in the reader that Prometheus has."""

from __future__ import annotations

from agent.yaml_marks.complaints import Complaints
from agent.yaml_marks.forms import kind
from agent.yaml_marks.nodes import Fields, Items

MERGE = "<<"


def merged(own: Fields, complaints: Complaints) -> Fields:
    """A mapping with what stands under its merge key: its own keys win, then the first of several mappings.
    Each key and value keeps the place where it was written."""
    fields, keys = dict(own.fields), dict(own.keys)
    given, place = fields.pop(MERGE), keys.pop(MERGE)
    for each in given.items if isinstance(given, Items) else (given,):
        if isinstance(each, Fields):
            for name, value in each.fields.items():
                fields.setdefault(name, value)
                keys.setdefault(name, each.keys[name])
        else:
            message = f"{MERGE}: expected a mapping, or a list of mappings, but here stands {kind(each)}"
            complaints.add(place, message, width=len(MERGE))
    return Fields(own.place, fields, keys)
