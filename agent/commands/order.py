"""`ottla pause`, `resume`, `stop` and `reload`: what a person orders the agent."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from agent.commands.options import ordering, tell_taken
from agent.commands.reach import Reach, find, order
from agent.commands.rule_changes import shown
from agent.commands.show import cleaned
from agent.quantities import parse_duration
from agent.web.client import Agent, Gone, Rejected, Unreachable

STOP_S = 45.0  # undo takes at most 30


@click.command()
@click.argument("reason")
@click.option(
    "--for", "for_", metavar="DURATION", help="Resume by itself after 30m, 2h, ... [default: never]."
)
@ordering
def pause(reason: str, for_: str | None, output: str, **where: Any) -> None:
    """Begin nothing new, for REASON; undo of what stands goes on."""
    try:
        for_ms = parse_duration(for_) if for_ is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error
    if not reason.strip():
        raise click.BadParameter("a pause needs a reason", param_hint="REASON")
    if for_ms == 0:
        raise click.BadParameter("a pause lasts longer than that", param_hint="--for")
    answer = order(find(**where), "pause", reason=reason, for_ms=for_ms)
    tell_taken(output, answer, f"paused{f' for {for_}' if for_ else ' until `ottla resume`'}: {reason}")


@click.command()
@ordering
def resume(output: str, **where: Any) -> None:
    """End the pause; the breaker that opened after actions which did not help closes too."""
    tell_taken(output, order(find(**where), "resume"), "resumed")


@click.command()
@click.option("--handover", is_flag=True, help="Leave what stands to the agent that is started next.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end.")
@ordering
def stop(handover: bool, no_wait: bool, output: str, **where: Any) -> None:
    """End the agent; what is reversible is undone first, which takes up to 30 seconds."""
    reach = find(**where)
    answer = order(reach, "stop", handover=handover)
    if no_wait:
        tell_taken(output, answer, "the agent is stopping")
    elif _ended(reach):
        tell_taken(output, answer, "stopped")
    else:
        raise click.ClickException(
            f"the agent has not ended within {STOP_S:g} s; ottla status says what stands"
        )


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change; the running rules stay.")
@ordering
def reload(dry_run: bool, output: str, **where: Any) -> None:
    """Read the rules again, and say what changes: rules, remedies, log patterns, incidents under way.

    Bad rules change nothing: the old ones stay, and exit code 1 says so. An agent reads changed files by
    itself, too, unless its configuration has `rules_watch: false`.
    """
    answer = order(find(**where), "reload", dry_run=dry_run)
    if answer["ok"]:
        good = "the rules are good; to take them would change" if dry_run else "the new rules are in force"
        words = [f"{good}:", *cleaned(list(shown(answer["changes"])))]
    else:
        words = [*cleaned(answer["complaints"]), "the old rules stay"]
    words += [f"! {answer['remark']}"] if answer["remark"] else []
    tell_taken(output, answer, "\n".join(words))
    sys.exit(0 if answer["ok"] else 1)


def _ended(reach: Reach) -> bool:
    """Whether nobody listens there any more, in time."""
    assert reach.address is not None, "it has just answered"
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        try:
            Agent(reach.address).get("incidents")
        except Gone:
            return True
        except (Rejected, Unreachable):
            pass  # too busy to answer is not ended, nor is one who answers half
        time.sleep(0.1)
    return False
