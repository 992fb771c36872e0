"""What an exporter's source tells of itself."""

from __future__ import annotations

from agent.model import Sample
from agent.sources import MetricInfo

UP = "up"
METRICS = (
    MetricInfo(UP, "gauge", "", "1 if the target's last scrape succeeded, else 0; with the target's labels"),
    MetricInfo(
        "ottla_exposition_body_bytes", "gauge", "bytes", "Size of the last scrape, unpacked, by `source`"
    ),
    MetricInfo(
        "ottla_exposition_filtered",
        "gauge",
        "",
        "1 if the last scrape asked only for the names that rules read",
    ),
    MetricInfo(
        "ottla_exposition_refused_bodies_total",
        "counter",
        "",
        "Bodies of which nothing was taken, by `reason`",
    ),
    MetricInfo(
        "ottla_exposition_refused_samples_total", "counter", "", "Samples that were left out, by `reason`"
    ),
)


class Tally:
    """What came of the scrapes of one source."""

    def __init__(self, source: str) -> None:
        self.size = 0  # bytes of the last body, unpacked
        self.filtered = False  # whether it was asked for names
        self.refused_bodies = dict.fromkeys(("too_large", "too_many_samples", "malformed"), 0)
        self.refused_samples = dict.fromkeys(("duplicate", "in_the_future"), 0)
        self._source = source

    def samples(self, now: int) -> list[Sample]:
        """In the order of METRICS, but for the first of them."""
        labels, (_, size, filtered, bodies, samples) = (("source", self._source),), METRICS
        own = [
            Sample(size.name, labels, now, float(self.size)),
            Sample(filtered.name, labels, now, float(self.filtered)),
        ]
        for metric, counts in ((bodies, self.refused_bodies), (samples, self.refused_samples)):
            for reason, count in counts.items():
                own.append(Sample(metric.name, (("reason", reason), *labels), now, float(count)))
        return own
