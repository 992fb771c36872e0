"""What people write, damaged: expressions on random samples, rule files with their lints, YAML, templates.
And what comes from logs and by HTTP.

Each target is a property test: only the errors that are meant for people may come out, and at once.
"""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from at_once import at_once
from derivation import derive
from http_answers import exposition_answers, jolokia_answers
from hypothesis import event, given
from hypothesis import strategies as st
from log_bytes import log_bytes
from promql_grammar import GRAMMAR, pinned
from promql_samples import random_data

from agent.commands.rule_facts import facts, specs
from agent.lints import judge
from agent.promql import (
    BadExpression,
    EvaluationError,
    Limits,
    compile,  # noqa: A004  as in Prometheus
    query,
    query_range,
)
from agent.rulebook import read
from agent.series import Series
from agent.templates import Data, Unsupported, expand, parse
from agent.yaml_marks import Complaints, as_text, compose

MOMENT = 946_684_800_500  # the year 2000, half a second after an hour
_ROOT = Path(__file__).parents[2]
_FOLDERS = ("rules", "agent/demo/rules", "tests/ten_mistakes", "tests/rulebook/public_style")
_TOKENS = (
    *("(", ")", "{", "}", "[", "]", "[5m]", "[1h:7s]", "[:]", '"', "'", "`", "\\", "\n", "\t", "#", ",", "$"),
    *("@", "@ start()", "offset", "-", "^", "%", "==", "bool", "on()", "group_left", "by", "without", "or"),
    *(
        "topk(",
        "1e999",
        "NaN",
        "0x",
        "9" * 30,
        "5m",
        "1000y",
        "é",
        "\x00",
        "\ud7ff",
        "\U0001f408",
        "le",
        "=~",
    ),
    *("[5m*2]", "[step()]", " offset (1h/2)", " offset -(", "min_of(", "range()", "^2"),
    *("{{", "}}", "{{ $value | humanize }}", "{{ if ", "{{ end }}", "| ", "printf ", "((a{1000}){1000})"),
    *(": ", "- ", "  ", "? ", "&a ", "*a ", "!!str ", "|", ">-", "---", "...", "<<: *a", "expr: ", "for: 1w"),
)
_EDITS = st.lists(  # where (of a thousand), how much is cut, what is put there
    st.tuples(st.integers(0, 1000), st.integers(0, 12), st.sampled_from(_TOKENS) | st.text(max_size=3)),
    max_size=4,
)
Edits = list[tuple[int, int, str]]


@given(st.randoms(use_true_random=False), _EDITS, st.integers(0, 9), st.integers(1, 120))
def expressions(chance: random.Random, edits: Edits, seed: int, step: int) -> None:
    """Compiled, asked at an instant and over a range."""
    text = _damaged(pinned(str(derive(GRAMMAR, "expression", chance, 4)), MOMENT), edits)
    began = time.process_time()
    with suppress(BadExpression, EvaluationError):
        expression = compile(text)
        event("compiles")
        limits = Limits(samples=2_000_000)
        query(expression, _samples(seed), MOMENT, limits)
        query_range(expression, _samples(seed), MOMENT - 300_000, MOMENT, step * 1000, limits)
        event("has an answer")
    at_once(began, text)


@given(st.data())
def rule_files(data: st.DataObject) -> None:
    """One of our files and of public ones, read with its neighbours, linted and complained of."""
    folder = _ROOT / data.draw(st.sampled_from([each for path in _FOLDERS for each in _holding_rules(path)]))
    victim = data.draw(st.sampled_from(sorted(path.name for path in folder.glob("*.yml"))))
    edits = data.draw(_EDITS)
    with tempfile.TemporaryDirectory() as copy:
        for path in folder.glob("*.yml"):
            text = path.read_text()
            written = _damaged(text, edits) if path.name == victim else text
            (Path(copy) / path.name).write_bytes(written.encode(errors="surrogatepass"))
        began = time.process_time()
        reading = read([Path(copy)], _specs())
        lints = list(judge(reading.book, reading.marks, facts(reading.book, frozenset(), None)))
        as_text([*reading.complaints.sorted(), *lints], colours=True)
        event("loads" if not reading.complaints else "is complained of")
        at_once(began, f"{folder}/{victim}: {edits}")


@given(
    st.binary(max_size=400) | st.lists(st.sampled_from(_TOKENS), max_size=60).map("".join),
    st.integers(0, 40),
    st.integers(1, 40),
)
def yaml(data: bytes | str, depth: int, width: int) -> None:
    """Any bytes, behind anchors that double and double again."""
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]\n" for n in range(1, depth))
    tail = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    began = time.process_time()
    complaints = Complaints()
    compose("f.yml", f"a0: &a0 x\n{bomb}".encode() + tail, complaints)
    as_text(complaints.sorted())
    at_once(began, repr(data))


@given(st.lists(st.sampled_from(_TOKENS) | st.text(max_size=4), max_size=25).map("".join), st.floats())
def templates(text: str, value: float) -> None:
    """Parsed and expanded; what is not known is named and stays text."""
    began = time.process_time()
    template = parse(text)
    if not isinstance(template, Unsupported):
        event("expands")
        expand(template, Data({"topic": "a"}, value, {}, ""))
    at_once(began, text)


TARGETS = (expressions, rule_files, yaml, templates, log_bytes, exposition_answers, jolokia_answers)


_specs = cache(specs)


@cache
def _samples(seed: int) -> Series:
    return random_data(MOMENT, seed, 40, wild=True).store()


def _holding_rules(folder: str) -> list[str]:
    """The folder and those below it that hold rule files."""
    found = {path.parent.relative_to(_ROOT) for path in (_ROOT / folder).rglob("*.yml")}
    return sorted(map(str, found))


def _damaged(text: str, edits: Edits) -> str:
    for where, cut, put in edits:
        at = len(text) * where // 1000
        text = text[:at] + put + text[at + cut :]
    return text
