"""A target's labels on its series."""

from __future__ import annotations

from agent.model import Labels, labels_of


def labelled(exposed: Labels, target: Labels, *, honor_labels: bool) -> Labels:
    """The target's labels on top of those that the exporter exposed, as `honor_labels` says."""
    own, found = dict(target), dict(exposed)
    if honor_labels:
        return labels_of(own | found)
    for label in own.keys() & found.keys():
        other = f"exported_{label}"
        while other in own or other in found:
            other = f"exported_{other}"
        found[other] = found.pop(label)
    return labels_of(found | own)
