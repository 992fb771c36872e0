"""The nouns of Ottla. Frozen, without behaviour beyond reading themselves; everything else imports these."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

Labels = tuple[tuple[str, str], ...]  # sorted by name; hashable, so a series can be a key
AND_MORE = (
    "and more"  # the last name of what fires at a peer that cannot tell all; no count, which would change
)


def labels_of(pairs: Mapping[str, str]) -> Labels:
    """The canonical form of a label set."""
    return tuple(sorted(pairs.items()))


class Place(msgspec.Struct, frozen=True):
    """Where in a file something was written; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Sample(msgspec.Struct, frozen=True, gc=False):
    """What a source saw: one value of one series. `at` is milliseconds since the epoch.

    `gc=False`, since tens of thousands are made at once and none can hold another.
    """

    name: str
    labels: Labels
    at: int
    value: float


class Point(msgspec.Struct, frozen=True):
    """One element of an instant vector: what an expression evaluates to."""

    labels: Labels
    value: float


class AlertState(StrEnum):
    """Prometheus's states of one alert."""

    PENDING = "pending"
    FIRING = "firing"


class RuleHealth(StrEnum):
    """Whether a rule can be judged at all. Only OK acts or clears."""

    OK = "ok"
    COLD = "cold"  # the window does not yet cover what the expression needs
    BLIND = "blind"  # a selector has matched nothing in the whole window
    FAILING = "failing"  # the expression or its source errs
    STORM = "storm"  # more results than the group's limit


class AlertRule(msgspec.Struct, frozen=True):
    """One `alert:` of a Prometheus rule file. Durations are milliseconds.

    A name may stand several times: name and labels together are a rule's identity, as in Prometheus.
    `labels` (the group's included) and `annotations` are as written; `limit` (0: none) and `offset_ms`, by
    which its expression looks into the past, are the group's.
    """

    name: str
    expr: str
    for_ms: int
    keep_firing_for_ms: int
    labels: Labels
    annotations: Labels
    group: str
    place: Place
    limit: int = 0
    offset_ms: int = 0


class RecordRule(msgspec.Struct, frozen=True):
    """One `record:` of a Prometheus rule file: its results become series called `name`, with `labels`."""

    name: str
    expr: str
    labels: Labels
    group: str
    place: Place
    limit: int = 0
    offset_ms: int = 0


Rule = AlertRule | RecordRule


class Alert(msgspec.Struct, frozen=True):
    """One active alert: a rule and one label set (rule labels and alertname included).

    `keep_firing_since`: the instant from which it has fired without a result, None while it has one.
    """

    rule: str
    labels: Labels
    state: AlertState
    active_at: int
    value: float
    annotations: Labels = ()  # expanded
    keep_firing_since: int | None = None

    def label(self, name: str) -> str:
        """The value of a label; absent is the empty string, as in Prometheus."""
        return dict(self.labels).get(name, "")


class RuleNow(msgspec.Struct, frozen=True):
    """One rule and what came of it: `why` it cannot be judged, when it last was (ms), in how many seconds."""

    rule: Rule
    health: RuleHealth
    why: str
    alerts: tuple[Alert, ...] = ()
    evaluated_at: int | None = None
    took_s: float = 0.0


class Mode(StrEnum):
    """What a remedy may do."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    ACT = "act"


class Rate(msgspec.Struct, frozen=True):
    """At most `count` in any `window_ms`."""

    count: int
    window_ms: int


class Verify(msgspec.Struct, frozen=True):
    """Help is `expr` having a result for `stable_for_ms`, at the latest `within_ms` after the action."""

    expr: str
    within_ms: int
    stable_for_ms: int


Argument = str | int | float | bool | tuple[str, ...]


class Step(msgspec.Struct, frozen=True):
    """One rung of the ladder. `args` are typed already; a `$label` stays text until an alert fills it in."""

    do: str
    args: tuple[tuple[str, Argument], ...]
    lease_ms: int | None
    verify: Verify | None
    place: Place


class Limits(msgspec.Struct, frozen=True):
    """A remedy's own limits; the host's policy and the cluster's budgets come on top."""

    cooldown_ms: int = 30 * 60_000
    per_host: Rate | None = None
    per_cluster: Rate | None = None
    max_targets: int = 1


class Remedy(msgspec.Struct, frozen=True):
    """What to do for one alert."""

    alert: str
    owner: str
    mode: Mode
    target: str  # the label that names the patient
    unless: tuple[str, ...]
    steps: tuple[Step, ...]
    limits: Limits
    worse_if: str | None
    place: Place
    match: Labels = ()  # of the rules with that name only those that set these labels


class LogPattern(msgspec.Struct, frozen=True):
    """One pattern of a `logs.yml`: each line that `regex` finds counts one in `log_<name>_total`.

    `regex` is RE2 syntax, searched within the line. Its named groups become labels, but for that of `counts`,
    whose number is added to `log_<name>_<group>_total`, and that of `sets`, whose number `log_<name>` is.
    """

    name: str
    file: str  # a glob over the log file's base name, as in server.log or *gc*.log
    regex: str
    help: str
    place: Place
    counts: str = ""
    sets: str = ""
    max_series: int = 100  # label sets; the lines beyond them are counted without labels

    @property
    def lines_metric(self) -> str:
        """The counter of its lines."""
        return f"log_{self.name}_total"

    @property
    def value_metric(self) -> str | None:
        """The counter of what its lines add up to, or the gauge that they set; None where they do neither."""
        if self.counts:
            return f"log_{self.name}_{self.counts}_total"
        return f"log_{self.name}" if self.sets else None


class Policy(msgspec.Struct, frozen=True):
    """What this host allows, whatever the rules say. Rates of data are bytes a second."""

    per_host: Rate = Rate(6, 3_600_000)
    breaker: int = 3  # so many unverified in a row, and a person must look
    startup_grace_ms: int = 30_000
    drain_headroom: float = 0.20  # of a target log dir stays free, whatever moves there
    max_move_rate: int = 50 << 20
    min_throttle_rate: int = 1 << 20


class Operation(StrEnum):
    """How a change is made; undo is its inverse."""

    SET = "set"  # undo: set the prior, or delete where it was absent
    DELETE = "delete"  # undo: set the prior
    APPEND = "append"  # to a list; `new` holds only the entries that were absent; undo subtracts just these
    SUBTRACT = "subtract"  # from a list; `new` holds the entries that were there; undo appends them
    MOVE = "move"  # of a replica between log dirs; undo cancels what has not ended


class Change(msgspec.Struct, frozen=True):
    """One thing that an effect sets. `prior` None means absent, which is not empty.

    `resource` is `broker/2`, `topic/orders` or `replica/orders-0`; `key` the config's name, or `log.dir`.
    """

    resource: str
    key: str
    operation: Operation
    prior: str | None
    new: str | None


class Effect(msgspec.Struct, frozen=True):
    """What an action does to the world: complete, data only, undone from itself alone."""

    action: str
    owner: str  # broker-<node id>
    changes: tuple[Change, ...]


class Refusal(msgspec.Struct, frozen=True):
    """Why not: the question that was asked and the answer in words, facts and not countdowns."""

    question: str
    reason: str


class Decision(msgspec.Struct, frozen=True):
    """What to do, complete: nothing is left to choose but the effect's prior values, read at the instant."""

    incident: str
    alert: str
    step: int
    do: str
    args: tuple[tuple[str, Argument], ...]
    target: str
    labels: Labels
    value: float  # of the alert, when decided
    lease_ms: int | None = None
    verify: Verify | None = None
    worse_if: str | None = None
    steps: int = 1  # the ladder's length


class Kind(StrEnum):
    """The kinds of fact."""

    REFUSED = "refused"
    PROPOSED = "proposed"  # nothing but a person's word is missing; carries the plan
    WAITING = "waiting"  # queued for a claim
    STARTED = "started"  # written before the first effect; carries the effect
    DONE = "done"  # the effect stands
    FAILED = "failed"  # it does not, or nobody knows
    HEALED = "healed"
    NO_BETTER = "no better"
    WORSE = "worse"
    UNDOING = "undoing"  # it must go, by no verdict; written before the first request of a claim's undo
    UNDONE = "undone"
    ESCALATED = "escalated"
    WITHDRAWN = "withdrawn"  # the alert ended before anything was done
    CLOSED = "closed"  # nothing of it stands, and nothing more will be done
    OPERATOR = "operator"  # pause, resume, undo, approve, deny: what a person said
    AGENT = "agent"  # the agent's own life: started, stopped, rules loaded or refused


class Boot(msgspec.Struct, frozen=True):
    """An instant by the kernel's own clock, which nobody sets: ms since boot `id`, suspends included. Without
    an id nothing is known of it."""

    id: str = ""
    at: int = 0

    def passed(self, now: Boot) -> int | None:
        """Ms from this instant to `now`; None across a boot of the machine."""
        return now.at - self.at if self.id and self.id == now.id else None


Called = int | tuple[int, int]  # a claim: its id and its record's leader epoch; older journals tell no epoch


class Entry(msgspec.Struct, frozen=True):
    """One fact: the journal's line, the control topic's note and the status feed are all this."""

    at: int
    kind: Kind
    reason: str
    incident: str = ""
    question: str = ""  # the gate's question that refused; of an operator's entry the verb
    decision: Decision | None = None
    effect: Effect | None = None
    claim: int | None = None
    until: int | None = None  # the end of the lease, or of a pause
    boot: Boot | None = None  # of a start, and of a person's word: `at` once more
    claim_epoch: int | None = None  # the leader epoch of the claim's record: offsets are used again


class Blast(StrEnum):
    """How much an action takes from the cluster while it lasts."""

    NOTHING = "nothing"  # local and reversible, takes no capacity
    HOST = "host"  # takes capacity from the own host
    CLUSTER = "cluster"  # changes what others see
    DISRUPTIVE = "disruptive"  # takes a broker, or its leadership, away


class Parameter(msgspec.Struct, frozen=True):
    """One keyword argument of an action, as `with:` may give it."""

    name: str
    kind: str  # duration | size | rate | ratio | string | strings | integer | boolean
    required: bool
    default: Argument | None


class Sign(msgspec.Struct, frozen=True):
    """What shows on a broker that a kind of effect stands there: any of these settings of its own. `what` it
    shows, as "a replication throttle"."""

    what: str
    keys: tuple[str, ...]


class ActionSpec(msgspec.Struct, frozen=True):
    """What rules and gate must know of an action; read from its signature, class line and docstring."""

    name: str
    parameters: tuple[Parameter, ...]
    blast: Blast
    reversible: bool
    corroborate: int  # how many independent signals it wants
    keeps: bool  # what healed stays in place: nothing to undo after success
    manual: str
    moves: tuple[str, ...] = ()  # metrics that it sets or holds down by itself: they prove no healing
    adoptable: bool = False  # an agent on another host may undo it, from its effect alone
    sign: Sign | None = None  # by which others see its effect; None where they cannot


class Settle(StrEnum):
    """What to do with an effect found after a crash."""

    DONE = "done"
    APPLY = "apply"  # again: it is idempotent, and was not finished
    UNDO = "undo"
    GONE = "gone"  # nothing of it stands any more


class Seen(msgspec.Struct, frozen=True):
    """What is really set now, a change each: `ours`, `theirs` (another's value) or `gone` (the prior)."""

    ours: tuple[Change, ...]
    theirs: tuple[tuple[Change, str | None], ...]
    gone: tuple[Change, ...]
