"""What this agent tells people of itself, as plain data: its sources, rules, modes and control topic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agent import report
from agent.control_topic import ControlTopic
from agent.daemon.alert_log import AlertLog
from agent.daemon.means import Means
from agent.daemon.own_hindrances import Hindered
from agent.daemon.sight import Sight
from agent.model import AlertRule, AlertState, Labels
from agent.sources import schedule
from agent.sources.schedule import Polling
from agent.surface import Plain


def sources(pollings: Iterable[Polling]) -> list[Plain]:
    """What each source last came to."""
    return [
        {
            "name": p.source.name,
            "up": not p.silence,
            "age_ms": None if p.read_at is None else round(p.age_s * 1000),
            "why": p.silence,
            "unread": sorted(p.unread),
            "failed": dict(p.failed),
        }
        for p in pollings
    ]


def metadata(pollings: Iterable[Polling]) -> list[Plain]:
    """What the sources declare, and what each says of itself."""
    declared = [m for polling in pollings for m in polling.source.metrics]
    known = {m.name: m for m in (*declared, *schedule.METRICS)}
    return [
        {"metric": m.name, "type": m.type, "help": m.help, "unit": m.unit}
        for m in sorted(known.values(), key=lambda m: m.name)
    ]


def rules(sight: Sight, last: Plain | None) -> Plain:
    """Those in force, those of them that cannot be judged, and how the `last` reload ended."""
    alerts = sight.alerts
    names = [r.name for r in sight.book.alerts if alerts.health(r.name) != "ok"]
    return {
        "count": len(sight.book.alerts),
        "digest": sight.book.digest,
        "not_ok": [{"rule": n, "health": str(alerts.health(n)), "why": alerts.why(n)} for n in names],
        "reload": last,
    }


def modes(found: Hindered, means: Means) -> Plain:
    """What keeps it from acting, each in words or None."""
    reasons = means.ledger.failed, means.control.degraded if means.control is not None else None
    return {
        "paused": found.paused,
        "stopped": found.stopped,
        "breaker": found.breaker,
        "degraded": "; ".join(why for why in reasons if why) or None,
    }


def control_topic(control: ControlTopic) -> Plain:
    """As far as it has read the log."""
    return {
        "caught_up": control.caught_up,
        "degraded": control.degraded,
        "peers": sorted(control.peers()),
        "pauses": control.pauses(),
        "voids": dict(control.state.voids),
        "joins": control.joins,
        "unrest": control.unrest(),
        "held_back": control.held_back(),
        "snapshots": control.snapshots(),
    }


def live(means: Means, sight: Sight, alert_log: AlertLog, complaints: Sequence[str]) -> report.Live:
    """What no journal knows; `complaints` about the rules on disk, where others are in force."""
    control = means.control
    waiting = [i.claim for i in means.ledger.history.incidents.values() if i.claim is not None]
    return report.Live(
        alerts=sight.alerts.active(),
        rules={r.name: (sight.alerts.health(r.name), sight.alerts.why(r.name)) for r in sight.book.alerts},
        remedies={name: remedy.match for name, remedy in sight.book.remedies.items()},
        blockers={c: control.blockers(c) for c in waiting} if control is not None else {},
        said={n: (p.at, p.status) for n, p in control.peers().items()} if control is not None else {},
        fires_at=dict(_fires_at(sight)),
        fired=alert_log.over(),
        refused=next(iter(complaints), ""),
    )


def _fires_at(sight: Sight) -> Iterator[tuple[Labels, int]]:
    """Of each pending alert: when its `for` is over (ms)."""
    for told in sight.alerts.each():
        if isinstance(told.rule, AlertRule):
            pending = (a for a in told.alerts if a.state is AlertState.PENDING)
            yield from ((a.labels, a.active_at + told.rule.for_ms) for a in pending)
