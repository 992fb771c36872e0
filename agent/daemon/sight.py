"""What is seen at one instant: the samples, the alerts of the rules in force, and a peer's view."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from agent.alerts import Alerts, Finding, Ground, Kept, Turn, judge, lost
from agent.daemon.asked import Asked
from agent.daemon.former_series import FormerSeries
from agent.daemon.freshness import Freshness
from agent.daemon.in_force import in_force
from agent.daemon.origins import Down, Giving, Origins, from_jmx
from agent.daemon.own_return import OwnReturn
from agent.daemon.proof import Proof
from agent.daemon.unless import Unless
from agent.decide import patients
from agent.gate import World
from agent.history import Incident
from agent.model import Alert, AlertState, Decision, Labels, Remedy, Sample
from agent.promql.labels import NAME, without
from agent.promql.vectors import STALE
from agent.rulebook import Rulebook
from agent.rulebook.compiled import readable
from agent.rulebook.filling import filled
from agent.rulebook.windows import LEAST_MS, windows, windows_of
from agent.series import Series, Touched
from agent.verify import Trigger, View

log = logging.getLogger(__name__)
IDLE_MS = 15_000  # a rule that no sample wakes is judged all the same: absence shows only in time
_NAMED = 10  # of the metrics that lose samples, in one line of the log


def judged_by(decisions: Iterable[Decision]) -> Iterator[str]:
    """The expressions that tell whether these have helped."""
    for one in decisions:
        for text in (one.worse_if, one.verify.expr if one.verify else None):
            if text and readable(text) is not None:
                yield text


class Sight:
    """Series and alerts of the rules in force. `world` gives the newest view of the cluster, or None.

    `origin` gives the name that a source has for a series which rules name otherwise, `giving` the sources of
    a name that has no prefix of ours. `steady` tells the ms of a clock that nobody sets,
    where there is one: without it nobody can say that the wall clock was set forward.
    """

    def __init__(
        self,
        book: Rulebook,
        series: Series,
        world: Callable[[], World | None],
        node_id: int,
        origin: Callable[[str], str] = str,
        giving: Giving = from_jmx,
    ) -> None:
        self.book = book
        self.steady: Callable[[], float] = lambda: math.nan
        self.alerts = Alerts(book.rules, IDLE_MS)
        self.series = series
        self.world = world
        self.down: Down = frozenset()
        self._return = OwnReturn(node_id)
        self._origins = Origins(book, origin, giving)
        self._asked = Asked(self._origins)
        self._proof = Proof(series, self._origins)
        self._unless = Unless(series, self.alerts, self._origins, self._asked)
        self._former = FormerSeries(Series(0))
        self._in_force = in_force(book)
        self.names = self._origins.names | self._origins.recorded.keys()
        self.windows = dict.fromkeys(self.names, LEAST_MS) | windows(book)  # how long each is to be kept

    def resume(self, kept: Sequence[Kept]) -> None:
        """Go on after a restart with what was known before it, the series that were put back among it."""
        self.alerts.restore(kept, unseen=True)
        self._former = FormerSeries(self.series)

    def follow(self, former: Sight, now: int) -> None:
        """Take the place of other rules: alerts of rules that stay as they are go on, the series end that
        only the former rules recorded."""
        kept = former.alerts.keep()
        self.alerts.restore(kept, unseen=False)
        gone = lost(kept, self.book.rules)
        changed = frozenset(each.name for each in gone if each.alerts)
        self._in_force = replace(self._in_force, changed=changed, since=now)
        self.down = former.down
        self._return.follow(former._return)
        self._former = former._former
        self._proof.follow(former._proof)
        self._asked.follow(former._asked)
        self._asked.ask(self.names - former.names, self.steady())
        ended = ((each.name, labels) for each in gone for labels in each.written)
        self.series.add(Sample(name, without(labels, {NAME}), now, STALE) for name, labels in ended)

    def keep_judging(self, decisions: Iterable[Decision]) -> None:
        """Read what verifies these, too: what has begun goes on as other rules decided it."""
        more = windows_of(judged_by(decisions))
        self.names |= more.keys()
        self.windows |= {name: max(back, self.windows.get(name, back)) for name, back in more.items()}

    def end_of(self, incident: Incident) -> str:
        """Why its alert fires no more: it may be the rules that are others."""
        which = incident.decision.alert, incident.decision.labels
        return self._in_force.end_of(incident) or self.alerts.given_up(*which) or "the alert ended"

    def take(self, samples: Sequence[Sample], ran: float = 0, now: int | None = None) -> Touched:
        """Keep new samples of a reading that began at `ran`; the metrics whose readers are to be judged.
        `now`: what the clock says."""
        if now is not None:
            self._look_at_clock(now)
        self._asked.hear(samples, ran)
        self._former.hear(samples)
        touched = self.series.add(samples)
        self._tell_of_dropped()
        self._proof.forget(self.series.cut())
        self._proof.take(samples, ran, touched.names)
        return touched

    def _tell_of_dropped(self) -> None:
        """Of each metric once: what it drops later only the counter tells."""
        if names := self.series.newly_dropped():
            log.warning(
                "there is no room for more than %d series: the newest are dropped of %s%s;"
                " rules that read them are failing",
                self.series.limit,
                ", ".join(names[:_NAMED]),
                f" and {len(names) - _NAMED} others" if len(names) > _NAMED else "",
            )

    def _look_at_clock(self, now: int) -> None:
        """Where it was set back, nothing that was seen counts any more: how old it is nobody can say.
        Where it was set forward, nobody has looked for longer by that."""
        by_ms = self.series.see(now, self.steady())
        if not by_ms:
            return
        log.warning(
            "the clock was set %s: rules are cold until samples have come again for as long as needed",
            "back" if by_ms < 0 else "forward",
        )
        self._asked.ask(self.names, self.steady())
        if by_ms < 0:
            self._proof.begin_anew()
        self._return.set_clock(by_ms, now)
        self.alerts.begin_anew(max(by_ms, 0))

    def given_by(self, down: Down) -> frozenset[str]:
        """The names that rest on one of these."""
        return self._origins.named_by(down, self.names)

    def begin(self, now: int, touched: Touched | None, down: Down) -> tuple[Ground, Turn]:
        """A turn of the rules that read what was `touched` (None: of all), and what they are judged on."""
        self._look_at_clock(now)
        self.down = down
        gone = self._former.gone(self._origins, down, self.alerts.recorded)
        ended = self.series.add(Sample(name, labels, now, STALE) for name, labels in gone)
        return self.ground(), self.alerts.begin(now, touched and touched | ended)

    def judge(self, now: int, touched: Touched | None, down: Down) -> None:
        """Judge them all at once, here."""
        ground, turn = self.begin(now, touched, down)
        while (task := self.alerts.next(turn)) is not None:
            self.learn(judge(task, ground), turn)

    def ground(self) -> Ground:
        """What rules are judged on now."""
        down = self.given_by(self.down)
        ground = self.alerts.ground(self.series, self.series.first_at, down)
        series = self.series
        return replace(
            ground, later=series.later, incomplete=series.incomplete, shortened=series.shortened_until
        )

    def learn(
        self, finding: Finding, turn: Turn | None = None, took_s: float | None = None
    ) -> frozenset[str]:
        """Take a finding: what a recording rule gave is read like any other series. The metrics of which that
        changed something: not only its own, as others give way to new series."""
        samples = self.alerts.take(finding, turn, took_s)
        self._former.hear(samples)
        changed = self.series.add(samples).changed
        if turn is not None:
            self.alerts.disturb(changed - {finding.task.rule.name}, turn)
        if samples:
            self._proof.record(finding.task.rule.name, finding.task.now)
        return changed

    def view(
        self, decision: Decision, began: Freshness, stood: Freshness | None, now: int, ran: float = -math.inf
    ) -> View:
        """What tells whether the action helped since it `stood`, which is None until then, or did harm since
        it `began`; `ran`: what their clock says."""
        world, check, worse = self.world(), decision.verify, decision.worse_if
        return View(
            now=now,
            holds=stood is not None and check is not None and self._holds(check.expr, stood, now),
            trigger=self._trigger(decision, began, now, ran),
            worse_if=worse is not None and self._proof.is_worse(worse, began, now, ran),
            offline=world.offline if world else None,
            under_min_isr=world.under_min_isr if world else None,
            returning=self._return.look(world, now),
        )

    def _holds(self, expr: str, stood: Freshness, now: int) -> bool:
        return self._proof.holds(expr, stood, self.down, now)

    def _trigger(self, decision: Decision, began: Freshness, now: int, ran: float) -> Trigger | None:
        """By when its rule was judged: samples may have come since."""
        which = decision.alert, decision.labels
        given = self.alerts.given(*which) if decision.alert in self._in_force.alerts else None
        if given is None:
            return None
        rule, (value, at) = self.alerts.expression(*which), given
        after = self._proof.lies_after(rule, began, at, ran - max(0, now - at))
        return Trigger(rule.text, value, rule.threshold) if after and rule.threshold is not None else None

    def firing(self) -> tuple[Alert, ...]:
        """What fires now."""
        return tuple(a for a in self.alerts.active() if a.state is AlertState.FIRING)

    def objections(self, remedy: Remedy, labels: Labels, now: int) -> tuple[str, ...]:
        """What its `unless` objects, for an alert with these labels."""
        texts = [filled(text, labels) for text in remedy.unless]
        return self._unless.objections(texts, self.down, self.ground(), now)

    def signals(self, alert: str, labels: Labels) -> frozenset[str]:
        """The sources of the series that this alert's rule reads."""
        return self._origins.of(self.alerts.expression(alert, labels))

    def patients(self, remedy: Remedy) -> int:
        """How many patients of this remedy fire now."""
        return patients(remedy, self.alerts.active())
