"""Which rules /api/v1/rules shows, and on how many pages: the filters of Prometheus's API."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from agent.model import AlertRule, RuleNow
from agent.promql.nodes import Selector
from agent.surface import GroupNow, Plain
from agent.web import rule_groups
from agent.web.prometheus_forms import BadParameter, Form

_TYPES = {"alert": (True, False), "record": (False, True), "": (True, True)}  # alerting, recording


class Wanted(Struct, frozen=True):
    """What a request asks for. Empty sets and lists ask for everything."""

    alerting: bool
    recording: bool
    names: frozenset[str]
    groups: frozenset[str]
    files: frozenset[str]
    selectors: tuple[Selector, ...]
    alerts: bool  # each rule's active ones
    pages_of: int  # groups; 0: all on one page
    token: str

    def shows(self, one: RuleNow) -> bool:
        """Whether this rule is asked for."""
        kind = self.alerting if isinstance(one.rule, AlertRule) else self.recording
        labels = dict(one.rule.labels)
        matched = not self.selectors or any(
            s.name is None and all(m.matches(labels.get(m.name, "")) for m in s.matchers)
            for s in self.selectors  # a rule has no label __name__
        )
        return kind and matched and (not self.names or one.rule.name in self.names)


def wanted(form: Form) -> Wanted:
    """Reads a request. Raises BadParameter."""
    kind = form.text("type").lower()
    if kind not in _TYPES:
        raise BadParameter("type", f'not supported value "{kind}"')
    pages_of, token = form.limit("group_limit"), form.text("group_next_token")
    if form.text("group_limit") and not pages_of:
        raise BadParameter("group_limit", "group_limit needs to be greater than 0")
    if token and not pages_of:
        raise BadParameter(
            "group_next_token", "group_limit needs to be present in order to paginate over the groups"
        )
    return Wanted(
        *_TYPES[kind],
        names=frozenset(form.many("rule_name[]")),
        groups=frozenset(form.many("rule_group[]")),
        files=frozenset(form.many("file[]")),
        selectors=tuple(form.selectors()),
        alerts=not form.flag("exclude_alerts"),
        pages_of=pages_of,
        token=token,
    )


def page(groups: Sequence[GroupNow], asked: Wanted) -> Plain:
    """The groups that are asked for, and the token of the next page. Raises BadParameter."""
    shown: list[Plain] = []
    for one in _from(groups, asked.token):
        if (asked.groups and one.name not in asked.groups) or (asked.files and one.file not in asked.files):
            continue
        rules = [rule_groups.rule(r, alerts=asked.alerts) for r in one.rules if asked.shows(r)]
        if not rules:
            continue
        if asked.pages_of and len(shown) == asked.pages_of:
            return {"groups": shown, "groupNextToken": _token(one)}
        shown.append(rule_groups.group(one, rules))
    return {"groups": shown}


def _from(groups: Sequence[GroupNow], token: str) -> Sequence[GroupNow]:
    if not token:
        return groups
    start = next((i for i, one in enumerate(groups) if _token(one) == token), None)
    if start is None:
        raise BadParameter(
            "group_next_token", f"invalid group_next_token '{token}'. were rule groups changed?"
        )
    return groups[start:]


def _token(one: GroupNow) -> str:
    return hashlib.sha256(f"{one.file};{one.name}".encode()).hexdigest()
