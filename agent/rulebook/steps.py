"""The ladder of a remedy: each step's action, arguments, lease and verification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from agent.model import ActionSpec, Argument, Parameter, Step, Verify
from agent.rulebook.expressions import check_label, promql_with_labels
from agent.rulebook.filling import LABEL
from agent.rulebook.labels import MayHave
from agent.yaml_marks import Form, Node, Scalar, Wrong, closest, shape_of, shaped
from agent.yaml_marks.readers import duration, flag, integer, rate, ratio, size, text, texts

ESCALATE = "escalate"  # the one step that is no action: a person is called
MAX_STEPS = 10
_KINDS: Mapping[str, Callable[[Node], Argument]] = MappingProxyType(
    {
        "duration": duration,
        "size": size,
        "rate": rate,
        "ratio": ratio,
        "string": text,
        "strings": texts,
        "integer": integer,
        "boolean": flag,
    }
)


def read_steps(remedy: Form, actions: Mapping[str, ActionSpec], may_have: MayHave) -> tuple[Step, ...]:
    """The steps in their order; `escalate` may only be the last one."""
    steps: list[Step] = []
    for form in remedy.forms("steps", "a step", required=True):
        if steps and steps[-1].do == ESCALATE:
            form.complain("this step is never reached: escalate hands over to a person", "put escalate last")
        steps.append(_step(form, actions, may_have))
        form.close()
    if len(steps) > MAX_STEPS:
        remedy.complain(f"{len(steps)} steps; a ladder has at most {MAX_STEPS}", key="steps")
    return tuple(steps)


def _step(form: Form, actions: Mapping[str, ActionSpec], may_have: MayHave) -> Step:
    do = form.get("do", _action(actions), "", required=True)
    if do == ESCALATE:
        return Step(do, (), None, None, form.place)
    spec = actions.get(do)
    lease = form.get("lease", duration, None)
    if spec and not spec.reversible and lease is not None:
        form.complain(f"{do} cannot be undone, so nothing ends with a lease", "leave it out", "lease")
    if spec and spec.reversible and not spec.keeps and lease is None:
        form.complain(f"{do} needs a lease: what it sets is undone when that ends", "add `lease: 1h`", "do")
    verify = form.form("verify", "`verify`", required=True)
    return Step(
        do=do,
        args=_arguments(form, spec, may_have) if spec else form.get("with", lambda _: (), ()),
        lease_ms=lease,
        verify=_verify(verify, may_have) if verify else None,
        place=form.place,
    )


def _action(actions: Mapping[str, ActionSpec]) -> Callable[[Node], str]:
    @shaped({"enum": [*sorted(actions), ESCALATE]})
    def read(node: Node) -> str:
        name = text(node)
        if name != ESCALATE and name not in actions:
            hint = closest(name, [*actions, ESCALATE]) or f"actions: {', '.join(sorted(actions))}, {ESCALATE}"
            raise Wrong(f"unknown action {name!r}", hint)
        return name

    return read


def _arguments(step: Form, spec: ActionSpec, may_have: MayHave) -> tuple[tuple[str, Argument], ...]:
    required = [parameter.name for parameter in spec.parameters if parameter.required]
    form = step.form("with", f"`with` of {spec.name}", required=bool(required))
    if form is None:
        return ()
    args = []
    for parameter in spec.parameters:
        value = form.get(parameter.name, _argument(parameter, may_have), None, required=parameter.required)
        if value is not None:
            args.append((parameter.name, value))
    form.close()
    return tuple(args)


def _argument(parameter: Parameter, may_have: MayHave) -> Callable[[Node], Argument | None]:
    typed = _KINDS[parameter.kind]

    @shaped(shape_of(typed))
    def read(node: Node) -> Argument | None:
        if isinstance(node, Scalar) and "$" in node.text:
            match = LABEL.fullmatch(node.text)
            if not match:
                raise Wrong(f"{node.text!r}: a label is the whole value or nothing", "write it like $path")
            if parameter.kind != "string":  # nothing could check a rate that comes with the alert
                raise Wrong(f"a {parameter.kind} cannot come from a label", "write the value here")
            check_label(match[1], may_have, None)
        return typed(node)

    return read


def _verify(form: Form, may_have: MayHave) -> Verify:
    verify = Verify(
        expr=form.get("expr", promql_with_labels(may_have), "", required=True),
        within_ms=form.get("within", duration, 0, required=True),
        stable_for_ms=form.get("stable_for", duration, 0),
    )
    form.close()
    return verify
