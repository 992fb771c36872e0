"""`ottla rules explain` and `ottla rules schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from agent.commands import options
from agent.commands.rule_facts import facts, specs
from agent.commands.streams import remark
from agent.config import BadConfig, load
from agent.explain import as_words
from agent.explain import explain as explained
from agent.lints.case import Case
from agent.model import Policy
from agent.rulebook import Reading, read
from agent.schemas import KINDS
from agent.schemas import schema as schema_of
from agent.yaml_marks import as_text, closest

RULES = Path("/etc/ottla/rules")


@click.command()
@click.argument("rule")
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--config", type=click.Path(exists=True, path_type=Path), help="Whose policy to take.")
@options.output
def explain(rule: str, paths: tuple[Path, ...], config: Path | None, output: str) -> None:
    """Say in words what RULE of the rules in PATH reads, when it fires and what is done then.

    PATH: folders or files [default: /etc/ottla/rules]. RULE is the name of an alert or of a recording rule.
    Without --config the limits are those of the default policy. Exit code 1: there is no such rule, or the
    rules have errors (`ottla rules check` says all of it).
    """
    reading = _read(paths or (RULES,))
    policy = _policy(config)
    case = Case(reading.book, reading.marks, facts(reading.book))
    told = explained(case, rule, policy)
    if not told:
        known = {each.name for each in reading.book.rules}
        hint = closest(rule, known) or f"there are {', '.join(sorted(known))}"
        raise click.ClickException(f"there is no rule {rule!r}: {hint}")
    options.tell(output, told, "\n\n".join(map(as_words, told)))


def _read(paths: tuple[Path, ...]) -> Reading:
    reading = read(paths, specs())
    if reading.complaints:
        remark(as_text(reading.complaints.sorted()))
        sys.exit(1)
    return reading


def _policy(config: Path | None) -> Policy:
    try:
        return load(config).policy if config else Policy()
    except BadConfig as error:
        raise click.ClickException(str(error)) from error


@click.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors.

    Save it, and name it in the file's first line: `# yaml-language-server: $schema=remedies.schema.json`.
    """
    click.echo(json.dumps(schema_of(kind, specs()), indent=2, ensure_ascii=False))
