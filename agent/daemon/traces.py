"""What bears a claim's stamp, where nobody knows its effect: its intent went with a lost tail
(coordination.md section 4, rule 9)."""

from __future__ import annotations

from agent.actions import RATES, Ports
from agent.control.claims import STAMPS
from agent.control_topic import Claim
from agent.daemon.named import check_resource
from agent.model import Change, Effect, Operation
from agent.wire import BadEntry

ROUND = 1_000  # rates that people set end in as many noughts; a stamp that does tells nothing


def may_be_looked_for(claim: Claim) -> None:
    """Raises BadEntry where what bears its stamp may as well be an operator's, or is nowhere to be read."""
    for resource, _ in _places(claim):
        check_resource(resource)
    if _places(claim) and claim.stamp % ROUND == 0:
        raise BadEntry(
            f"its effect is not known, and its stamp {claim.stamp:05} is the end of any round rate: "
            "a person must look, then ottla fleet resolve"
        )


async def stamped_by(claim: Claim, ports: Ports) -> Effect:
    """What undoes them: the rates in its places that end in its stamp. Rates are set only where none stood,
    so each is removed. Raises KafkaError."""
    found = []
    for resource, key in _places(claim):
        value = (await ports.admin.configs(resource, (key,))).get(key)
        if value is not None and value.isdecimal() and int(value) % STAMPS == claim.stamp:
            found.append(Change(resource, key, Operation.SET, None, value))
    return Effect(claim.kind, claim.agent, tuple(found))


def _places(claim: Claim) -> tuple[tuple[str, str], ...]:
    """Where its stamp would stand: as its plan says, or anywhere on the brokers that it held alone."""
    planned = tuple((resource, key) for resource, key in claim.plan if key in RATES)
    held = (scope.removeprefix("x:") for scope in claim.scopes if scope.startswith("x:broker/"))
    return planned or tuple((broker, key) for broker in held if broker.count("/") == 1 for key in RATES)
