"""One backtest: recording rules and alerts over the whole history, then what the remedies would have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.backtest.facts import Facts
from agent.backtest.grid import Grid, matrix
from agent.backtest.health import Obstacles
from agent.backtest.history import Past
from agent.backtest.live import asked_absent, inherited
from agent.backtest.lives import Lives, Machine
from agent.backtest.needs import expressions
from agent.backtest.records import Health, keep
from agent.backtest.remedies import Play, Rules
from agent.daemon.origins import Origins
from agent.model import ActionSpec, Entry, Policy, RecordRule, RuleHealth
from agent.promql import Expression
from agent.recording.limits import Allowance, Tell
from agent.recording.recorded import Recorded
from agent.rulebook import Rulebook
from agent.rulebook.compiled import compiled


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of it. `entries` are what the journal would hold; `assumed` what history does not tell."""

    book: Rulebook
    grid: Grid
    rules: tuple[Lives, ...]
    expressions: Mapping[str, Expression]
    entries: tuple[Entry, ...]
    assumed: tuple[str, ...]
    notes: tuple[str, ...]
    store: Recorded


def backtest(
    book: Rulebook, specs: Mapping[str, ActionSpec], past: Past, allowance: Allowance, tell: Tell
) -> Backtest:
    """Run the rules of a book over the past. Raises BadHistory where a limit is passed."""
    store, grid = _without_made(past.store, book), past.grid
    facts = Facts(store, grid, Origins(book, str), allowance)
    obstacles = Obstacles(store, grid, store.span[0] if store.span else None, facts.down, facts.turns)
    rules: list[Lives] = []
    writers: dict[str, list[Health]] = {}
    for number, rule in enumerate(book.rules, 1):
        tell(f"judging rule {number} of {len(book.rules)}: {rule.name}")
        expression = compiled(rule.expr)
        found = matrix(expression, store, grid, allowance, rule.offset_ms)
        health = _spread(list(obstacles.of(expression, rule.offset_ms)), len(grid))
        _inherit(health, expression, writers)
        if isinstance(rule, RecordRule):
            keep(store, rule, grid, found, health)
            writers.setdefault(rule.name, []).append(health)
        else:
            rules.append(Machine(rule, grid, found, health).run())
        allowance.take(f"judging {rule.name}")
    tell("deciding what the remedies would have done")
    entries = Play(_played(book, specs, rules), grid, facts).run()
    return Backtest(book, grid, tuple(rules), expressions(book), entries, facts.assumed, past.notes, store)


def _without_made(store: Recorded, book: Rulebook) -> Recorded:
    """The history without what the recording rules make: they make it anew."""
    made = {rule.name for rule in book.records}
    fresh = Recorded()
    fresh.tracks = {name: dict(tracks) for name, tracks in store.tracks.items() if name not in made}
    return fresh


def _spread(changes: list[tuple[int, RuleHealth, str]], count: int) -> list[tuple[RuleHealth, str]]:
    """From its changes to every step."""
    spread: list[tuple[RuleHealth, str]] = []
    for number, (step, health, why) in enumerate(changes):
        until = changes[number + 1][0] if number + 1 < len(changes) else count
        spread += [(health, why)] * (until - step)
    return spread


def _inherit(health: Health, expression: Expression, writers: Mapping[str, Sequence[Health]]) -> None:
    """Where what it reads was not recorded well, neither is it judged."""
    read = {name: writers[name] for name in expression.names & writers.keys()}
    absent = asked_absent(expression.node) if read else frozenset[str]()
    for step in range(len(health)) if read else ():
        found = inherited({name: [each[step] for each in its] for name, its in read.items()}, absent)
        health[step] = health[step] if found[0] is RuleHealth.OK else found


def _played(book: Rulebook, specs: Mapping[str, ActionSpec], rules: list[Lives]) -> Rules:
    lives: dict[str, list[Lives]] = {}
    for each in rules:
        if each.rule.name in book.remedies:
            lives.setdefault(each.rule.name, []).append(each)
    remedies = {name: remedy for name, remedy in book.remedies.items() if name in lives}
    return Rules(remedies, specs, lives, expressions(book), Policy())
