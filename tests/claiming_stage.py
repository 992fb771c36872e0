"""A stage whose brake needs a claim, a peer in its control topic, and remedies that are changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from msgspec.structs import replace
from stage import Brake, DiskScenery, Stage, book

from agent.actions import Ports, action
from agent.control_topic import ControlTopic
from agent.daemon.sight import judged_by
from agent.model import Blast, Change, Effect, Limits, Mode, Operation, Refusal, Step
from agent.rehearsal.memory_log import Line, MemoryLog
from agent.rehearsal.peers import member
from agent.rulebook import Rulebook
from agent.rulebook.kept_records import with_records


@action(blast=Blast.HOST, reversible=True)
class ClaimingBrake(Brake):
    """Sets the brake, under a claim."""

    plan = Brake.plan

    def scopes(self, effect: Effect) -> tuple[str, ...]:
        """Of a budget."""
        return ("quota",)


@action(blast=Blast.HOST, reversible=True)
class RatedBrake(ClaimingBrake):
    """The same, at a rate."""

    async def plan(self, ports: Ports, *, target: str, rate: str = "on") -> Effect | Refusal:
        """One change."""
        return Effect("brake", "broker-1", (Change("disk/1", "brake", Operation.SET, None, rate),))


class ClaimingScenery(DiskScenery):
    """Its brake needs to know on which node it is."""

    def ports(self, clock: Callable[[], int], recorded: Callable[[str, str, str], bool]) -> Ports:
        """That, and nothing else."""
        return cast(Ports, SimpleNamespace(node_id=1))


def limited(stage: Stage, log: MemoryLog, brake: type[Brake] = ClaimingBrake) -> Stage:
    """Takes part in the control topic, and brakes under claims."""
    stage.make_control = lambda: member(Line(log), 1, stage.now)
    stage.scenery = ClaimingScenery(stage.disk)
    stage.scenery.actions = {"brake": brake(stage.disk)}
    return stage


async def peer(log: MemoryLog, stage: Stage) -> ControlTopic:
    """Another agent, which has joined."""
    topic = member(Line(log), 2, stage.now)
    await topic.start()
    return topic


async def pause_fleet(by: ControlTopic, *, on: bool, expect: int = -1) -> int:
    """A person's order to all agents; the offset by which the next one is compared."""
    words = {"on": on, "selector": "*", "for": 0, "reason": "a bad remedy", "by": "ann", "expect": expect}
    return await by.order("pause", words)


def giving(step: Step, mode: Mode = Mode.ACT) -> Rulebook:
    """The stage's rules with this step as the remedy's only one."""
    rules = book(mode=mode, limits=Limits(cooldown_ms=1))
    remedy = replace(rules.remedies["Full"], steps=(step,))
    return replace(rules, remedies={"Full": remedy}, digest=repr(step))


def braking(rate: str, mode: Mode = Mode.ACT) -> Rulebook:
    """A remedy that brakes at this rate."""
    step = book().remedies["Full"].steps[0]
    return giving(replace(step, args=(("rate", rate),)), mode)


def reload(stage: Stage, rules: Rulebook) -> None:
    """Other rules in force, as a reload leaves them."""
    judging = judged_by(one.decision for one in stage.means.ledger.history.standing())
    stage.rules = with_records(rules, stage.daemon.sight.book, judging)
    sight = stage._sight()
    sight.follow(stage.daemon.sight, stage.now())
    sight.keep_judging(one.decision for one in stage.means.ledger.history.standing())
    stage.daemon.replace(sight)
