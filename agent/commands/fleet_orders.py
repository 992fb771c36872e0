"""`ottla fleet pause`, `resume`, `budget`, `params`, `resolve` and `raise`: a person's records.

Each replaces what stands now, or with --expect what stood at that offset: whoever was faster wins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agent.commands.options import ordering, tell_taken
from agent.commands.reach import find, order
from agent.quantities import parse_duration, show_duration

Command = TypeVar("Command", bound=Callable[..., Any])
SECOND = 1_000


def changing(command: Command) -> Command:
    """The options of an order to the fleet."""
    command = ordering(command)
    command = click.option(
        "--expect",
        type=click.IntRange(-1),
        metavar="OFFSET",
        help="The change that is meant to be replaced, -1: none [default: the one that stands].",
    )(command)
    return click.option("--reason", required=True, help="Why; kept in the log.")(command)


def naming(command: Command) -> Command:
    """The options of such an order that may name what nobody knows."""
    words = "Order it although nothing known has this name: a release or a host that is yet to come."
    return click.option("--force", is_flag=True, help=words)(changing(command))


@click.command()
@click.argument("selector")
@click.option("--for", "for_", metavar="DURATION", help="Resume by itself after 30m, 2h, … [default: never].")
@naming
def pause(selector: str, for_: str | None, **rest: Any) -> None:
    """Let no claim begin that SELECTOR names; an undo never waits for it. A maintenance window is a pause.

    SELECTOR is * (everything), kind:NAME, agent:broker-N, host:NAME or scope:NAME, the last one with a * at
    its end for all that begin so. At most 7d; it counts by the log's clock.
    """
    seconds = -(-_duration(for_, "--for") // SECOND) if for_ is not None else 0
    if for_ is not None and not 0 < seconds <= 7 * 86_400:
        raise click.BadParameter("a pause with an end is at most 7d long", param_hint="--for")
    words = f"{selector} is paused{f' for {for_}' if for_ else ' until `ottla fleet resume`'}"
    _send("pause", words, selector=selector, for_s=seconds, **rest)


@click.command()
@click.argument("selector")
@changing
def resume(selector: str, **rest: Any) -> None:
    """End the pause of SELECTOR, written as it was paused."""
    _send("resume", f"{selector} is resumed", selector=selector, **rest)


@click.command()
@click.argument("scope")
@click.option("--cap", type=click.IntRange(0, 10_000), help="So many at once; 0: none.")
@click.option("--rate", metavar="COUNT/TIME", help="So many in a time, as 3/24h; 0: no rate.")
@naming
def budget(scope: str, cap: int | None, rate: str | None, **rest: Any) -> None:
    """Change the budget of SCOPE; what is left out stays. restart/* is that of each scope below restart/.

    Counts at once: what was granted beyond it finds no room when it begins; what stands is left alone.
    """
    if cap is None and rate is None:
        raise click.UsageError("say what to change: --cap, --rate, or both")
    count, window = _rate(rate)
    changed = [f"{cap} at once"] if cap is not None else []
    if count is not None and window is not None:
        changed.append(f"{count} in {show_duration(window)}" if count else "no rate")
    words = f"the budget of {scope} is changed: {', '.join(changed)}"
    _send("budget", words, scope=scope, cap=cap, rate=count, window=window, **rest)


@click.command()
@click.argument("values", metavar="NAME=VALUE…", nargs=-1, required=True)
@naming
def params(values: tuple[str, ...], **rest: Any) -> None:
    """Change times of the control topic: w=30s h=20s adoptions=3. Votes against silent agents are cleared.

    A shorter w, a longer h or e_… counts only when the older of the two times has passed.
    """
    changed = dict(map(_value, values))
    _send("params", f"changed: {', '.join(values)}", values=changed, **rest)


@click.command()
@click.argument("claim")
@changing
def resolve(claim: str, **rest: Any) -> None:
    """Close CLAIM, an orphan or stuck, whose effect you have looked at: its room is free from then on.

    Nothing is undone by it. --expect is the claim's token.
    """
    _send("resolve", f"claim {claim} is closed", claim=claim, **rest)


@click.command("raise")
@click.option("--to", type=click.IntRange(1, 10_000), help="The version [default: the next one].")
@changing
def raise_fold(to: int | None, **rest: Any) -> None:
    """Raise the version of the rules by which all agents fold the log, once every live agent knows them."""
    _send("raise", "the fold's version is raised", to=to, **rest)


def _send(name: str, words: str, *, output: str, reason: str, expect: int | None, **rest: Any) -> None:
    where = {key: rest.pop(key) for key in ("socket", "config")}
    answer = order(find(**where), f"fleet/{name}", reason=reason, expect=expect, **rest)
    remark = f"\n! {answer['remark']}" if answer["remark"] else ""
    tell_taken(output, answer, f"{words} (offset {answer['offset']}){remark}")


def _duration(text: str, option: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _rate(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    if text == "0":
        return 0, 0
    count, slash, window = text.partition("/")
    ms = _duration(window, "--rate") if slash else 0
    many = int(count[:9]) if count.isascii() and count.isdigit() else 0
    if not (0 < many <= 10_000 and 0 < ms <= 7 * 86_400_000):
        raise click.BadParameter(f"{text!r}: write it like 3/24h, at most 7d", param_hint="--rate")
    return many, ms


def _value(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise click.BadParameter(f"{text!r}: write it like w=30s", param_hint="NAME=VALUE")
    return name, int(value[:18]) if value.isascii() and value.isdigit() else _duration(value, "NAME=VALUE")
