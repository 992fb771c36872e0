"""Remedies: what to do for which alert, checked against the actions' own signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from agent.model import ActionSpec, AlertRule, Limits, Mode, Place, Rate, Remedy
from agent.promql.labels import render
from agent.rulebook.alert_files import LABEL_NAME, label_set
from agent.rulebook.expressions import check_label, promql_with_labels
from agent.rulebook.labels import MayHave, alert_labels, any_labels
from agent.rulebook.steps import read_steps
from agent.yaml_marks import Complaints, Form, Node, Wrong, closest, shape_of, shaped
from agent.yaml_marks.readers import choice, duration, positive, text, times

# What a claim can carry, for the log remembers no longer: coordination.md section 2, `limit`.
MOST_IN_CLUSTER = 1_000
WEEK_MS = 7 * 86_400_000


class Known(Struct, frozen=True):
    """What a remedy may refer to. `alerts` None: an alert file could not be read, so nothing dangles."""

    actions: Mapping[str, ActionSpec]
    alerts: Mapping[str, Sequence[AlertRule]] | None  # by name


def read_remedies(trees: Iterable[Node], known: Known, complaints: Complaints) -> Mapping[str, Remedy]:
    """Every remedy of these files, by its alert."""
    remedies: dict[str, Remedy] = {}
    for tree in trees:
        file = Form(tree, "a remedy file", complaints)
        for alert, place, remedy in read_file(file, known):
            first = remedies.setdefault(alert, remedy)
            if first is not remedy:
                message = f"duplicate remedy of {alert!r}: the first is at {first.place}"
                complaints.add(place, message, width=len(alert))
            if known.alerts is not None and alert not in known.alerts:
                hint = closest(alert, known.alerts) or "add the alert, or leave out its remedy"
                complaints.add(place, f"there is no alert {alert!r}", hint, len(alert))
    return remedies


def read_file(file: Form, known: Known) -> Iterator[tuple[str, Place, Remedy]]:
    """The remedies of one file, each with its name and where that stands."""
    owner = file.get("owner", text, "", required=True)
    named = file.form("remedies", "`remedies`", required=True)
    for alert, place, form in named.named("the remedy of {}") if named else ():
        yield alert, place, _remedy(form, alert, owner, known)
    file.close()


def _remedy(form: Form, alert: str, owner: str, known: Known) -> Remedy:
    match = form.get("match", label_set, ())
    named = known.alerts.get(alert, ()) if known.alerts else ()
    rules = [rule for rule in named if set(match) <= set(rule.labels)]
    if named and not rules:
        others = " and ".join(render(rule.labels) for rule in named)
        form.complain(f"no alert {alert!r} has the labels {render(match)}", f"it has {others}", "match")
    labels = any_labels([alert_labels(rule) if rule.expr else None for rule in rules]) if rules else None
    remedy = Remedy(
        alert=alert,
        owner=owner,
        mode=form.get("mode", choice({mode.value: mode for mode in Mode}), Mode.OBSERVE),
        target=form.get("target", _target(labels), "alertname"),
        unless=form.each("unless", promql_with_labels(labels)),
        steps=read_steps(form, known.actions, labels),
        limits=_limits(form),
        worse_if=form.get("worse_if", promql_with_labels(labels), None),
        place=form.place,
        match=match,
    )
    form.close()
    return remedy


def _target(labels: MayHave) -> Callable[[Node], str]:
    @shaped({"type": "string", "pattern": f"^{LABEL_NAME.pattern}$"})
    def read(node: Node) -> str:
        name = text(node)
        if not LABEL_NAME.fullmatch(name):
            raise Wrong(f"{name!r} is no label name", "letters, digits and _ only")
        check_label(name, labels, None)
        return name

    return read


def _limits(remedy: Form) -> Limits:
    form = remedy.form("limits", "`limits`")
    default = Limits()
    if form is None:
        return default
    limits = Limits(
        cooldown_ms=form.get("cooldown", duration, default.cooldown_ms),
        per_host=form.get("per_host", times, None),
        per_cluster=form.get("per_cluster", _for_a_claim, None),
        max_targets=form.get("max_targets", positive, default.max_targets),
    )
    form.close()
    return limits


@shaped(shape_of(times))
def _for_a_claim(node: Node) -> Rate:
    """What a claim on the control topic can carry: the log remembers no longer than a week."""
    rate = times(node)
    if rate.window_ms > WEEK_MS or rate.count > MOST_IN_CLUSTER:
        raise Wrong("more than the control topic can hold to", f"at most {MOST_IN_CLUSTER} in at most 7d")
    return rate
