"""YAML 1.2 as it is written: places, scalars, limits, and a complaint for whatever cannot be read."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.model import Place
from agent.yaml_marks import Complaints, Fields, Items, Node, Scalar, compose
from agent.yaml_marks.complaints import LINE_BREAK
from agent.yaml_marks.compose import MAX_BYTES, MAX_DEPTH, scalar


def read(data: str | bytes) -> tuple[Node | None, list[str]]:
    """The tree, and the complaints as lines."""
    complaints = Complaints()
    node = compose("f.yml", data.encode() if isinstance(data, str) else data, complaints)
    return node, [str(c) for c in complaints.sorted()]


def plain(node: Node | None) -> object:
    """The tree without places."""
    if isinstance(node, Fields):
        return {key: plain(value) for key, value in node.fields.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.value if isinstance(node, Scalar) else None


def test_keys_and_values_know_their_places() -> None:
    """Lines and columns count from 1, in characters and not in bytes."""
    node, _ = read("a:\n  é😀: {b: 1}\n  c:\n    - x\n")
    assert isinstance(node, Fields)
    inner = node.fields["a"]
    assert isinstance(inner, Fields)
    assert inner.keys == {"é😀": Place("f.yml", 2, 3), "c": Place("f.yml", 3, 3)}
    assert inner.fields["é😀"].place == Place("f.yml", 2, 7)
    assert inner.fields["c"].place == Place("f.yml", 4, 5)


@pytest.mark.parametrize("text", ["a: 1\nb: [x]\n", "a: 1\r\nb: [x]\r\n", "\ufeffa: 1\nb: [x]\n"])
def test_line_ends_and_byte_order_mark_change_nothing(text: str) -> None:
    """Editors on other systems write the same file."""
    node, complaints = read(text)
    assert (plain(node), complaints) == ({"a": 1, "b": ["x"]}, [])
    assert isinstance(node, Fields)
    assert node.keys["b"] == Place("f.yml", 2, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("1:30", "1:30"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("1_000", "1_000"),
        ("2026-11-23", "2026-11-23"),
        ("~", None),
        ("", None),
        ("True", True),
        ("-.inf", -math.inf),
        ("9" * 31, 1e31),
    ],
)
def test_unquoted_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    """The core schema: 1.1 would read half of these as something else."""
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_quoted_scalars_are_text() -> None:
    """Whatever they look like."""
    assert plain(read("a: 'true'\nb: \"1\"\nc: |\n  5\n")[0]) == {"a": "true", "b": "1", "c": "5\n"}


def test_all_duplicate_keys_are_reported_and_the_first_is_kept() -> None:
    """A YAML loader that keeps the last one hides half of a file."""
    node, complaints = read("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert plain(node) == {"a": 1, "b": {"c": 1}}
    assert complaints == [
        "f.yml:2:11: duplicate key 'c': the first is on line 2",
        "f.yml:3:1: duplicate key 'a': the first is on line 1",
    ]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"a: 1\nb: \xff", "f.yml:2:4: not UTF-8: byte 0xff; save the file as UTF-8"),
        ("é: 1\n".encode("utf-16"), "f.yml:1:1: not UTF-8: byte 0xff; save the file as UTF-8"),
        (b"a: 1\nb: x\x07", "f.yml:2:5: not YAML: control characters are not allowed"),
        (b"a:\n\tb: 1\n", "f.yml:2:1: not YAML: a tab stands here; indent with spaces"),
        (b"a: b: c\n", "f.yml:1:5: not YAML: mapping values are not allowed in this context"),
        (b"a: *x\n", "f.yml:1:4: no anchor &x stands before this alias"),
        (b"a: &x [*x]\n", "f.yml:1:8: no anchor &x stands before this alias"),
        (
            b"a: !!python/name:os.system x\n",
            "f.yml:1:4: tags have no meaning here; leave out the word with !",
        ),
        (b"a: 1\n---\nb: 2\n", "f.yml:2:1: a second document begins here; split the file in two"),
        (b"? [a]\n: 1\n", "f.yml:1:3: a key must be a word, not a list or a mapping"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(data: bytes, complaint: str) -> None:
    """One sentence each, at the character."""
    assert read(data)[1] == [complaint]


def test_an_unclosed_bracket_names_the_line_where_it_was_opened() -> None:
    """The parser notices at the end of the file, which helps nobody."""
    assert read("a:\n  - [x\n")[1] == [
        (
            "f.yml:3:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence that begins"
            " on line 2"
        )
    ]


def test_limits_hold_on_size_depth_and_what_aliases_expand_to() -> None:
    """A small file must not stand for a billion values, nor take long to say no."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    began = time.process_time()
    assert "more than 100000 values" in read(bomb)[1][0]
    assert f"nested deeper than {MAX_DEPTH}" in read("[" * 100_000)[1][0]
    assert f"at most {MAX_BYTES} bytes are read" in read(b"#" * (MAX_BYTES + 1))[1][0]
    assert time.process_time() - began < 10


def test_an_alias_is_the_value_that_was_anchored() -> None:
    """Anchors are YAML's own way not to repeat oneself."""
    assert plain(read("a: &x {b: 1}\nc: *x\n")[0]) == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{<<: *a, d: 4}", {"b": 1, "c": 2, "d": 4}),
        ("{b: 3, <<: *a, c: 4}", {"b": 3, "c": 4}),
        ("{<<: [*a, *z]}", {"b": 1, "c": 2, "e": 6}),
        ("{<<: [*z, {f: 7}, *a]}", {"b": 5, "c": 2, "e": 6, "f": 7}),
        ("{<<: &n {<<: *z, b: 8}}", {"b": 8, "e": 6}),
        ("{<<: []}", {}),
        ('{"<<": 1}', {"<<": 1}),
        ("[<<]", ["<<"]),
    ],
)
def test_merge_keys_give_what_is_not_there_itself(text: str, value: object) -> None:
    """As in Prometheus: a mapping's own keys win wherever they stand, then the first of several mappings."""
    node, said = read(f"x: &a {{b: 1, c: 2}}\ny: &z {{b: 5, e: 6}}\nm: {text}\n")
    assert isinstance(node, Fields)
    assert (plain(node.fields["m"]), said) == (value, [])


def test_what_was_merged_has_its_place_where_it_was_written() -> None:
    node, _ = read("x: &a {b: 1}\nm:\n  <<: *a\n  c: 2\n")
    assert isinstance(node, Fields)
    merged = node.fields["m"]
    assert isinstance(merged, Fields)
    assert merged.place == Place("f.yml", 3, 3)
    assert merged.keys == {"b": Place("f.yml", 1, 8), "c": Place("f.yml", 4, 3)}
    assert merged.fields["b"].place == Place("f.yml", 1, 11)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x: &a 1\nm: {b: 1, <<: *a}", "f.yml:2:11: <<: expected a mapping, or a list of mappings, but here"),
        (
            "m:\n  <<:\n  b: 1",
            "f.yml:2:3: <<: expected a mapping, or a list of mappings, but here stands nothing",
        ),
        (
            "m: {<<: [{a: 1}, [b]]}",
            "f.yml:1:5: <<: expected a mapping, or a list of mappings, but here stands a",
        ),
        ("l: &l [{a: 1}]\nm: {<<: *l}", "f.yml:2:5: <<: *l is a list; list the mappings here"),
        ("m: {<<: {a: 1}, <<: {b: 1}}", "f.yml:1:17: duplicate key '<<': the first is on line 1"),
        ("m: &m {<<: *m}", "f.yml:1:12: no anchor &m stands before this alias"),
    ],
)
def test_what_cannot_be_merged_is_told_where_it_is_to_be_merged(text: str, complaint: str) -> None:
    (said,) = read(text)[1]
    assert said.startswith(complaint)


def test_merging_keeps_the_limits() -> None:
    """Each layer counts what it takes over, and many small mappings take no longer than one large one."""
    layers = "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
    began = time.process_time()
    assert "more than 100000 values" in read("a0: &a0 {k0: 1}\n" + layers)[1][0]
    node, said = read("m: {<<: [" + ", ".join(f"{{k{n}: 1}}" for n in range(30_000)) + "]}")
    assert isinstance(node, Fields)
    merged = node.fields["m"]
    assert isinstance(merged, Fields)
    assert (len(merged.fields), said) == (30_000, [])
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("e: up ! 1\n", (1, 7)),
        ("e: 'up ! 1'\n", (1, 8)),
        ('e: "up ! 1"\n', (1, 8)),
        ("e: |\n  up\n  ! 1\n", (3, 3)),
        ("e: >-\n    up ! 1\n", (2, 8)),
        ("e: up\n  ! 1\n", (2, 3)),
        ("e: 'it''s ! 1'\n", (1, 11)),
        ('e: "a \\"b\\" \\x41\\u00a0\\\n   c\\t ! 1"\n', (2, 8)),
        ("e: >2\r\n   \r\n     more\r\n\r\n  ! 1\r\n", (5, 3)),
        ("e: &anchor  # with a comment\n  up ! 1\n", (2, 6)),
        ("e: | # up ! 1\n\n   up ! 1\n", (3, 7)),
    ],
)
def test_a_character_of_a_text_is_found_in_the_file(text: str, place: tuple[int, int]) -> None:
    """Through quotes, indentation and folded lines."""
    node, _ = read(text)
    assert isinstance(node, Fields)
    value = node.fields["e"]
    assert isinstance(value, Scalar)
    found = value.place_of(value.text.index("!"))
    assert (found.line, found.column) == place


STYLES = ("{}", "'{}'", '"{}"', "|\n   {}", ">-\n   {}", "|2-\n     {}", "&a {}", "!x '{}'")


@given(
    st.sampled_from(STYLES),
    st.lists(
        st.sampled_from(
            ["up", "rate(x[5m])", "==", "1", "''", "\n   ", "\r\n   ", " ", "\\\\", "\\n", "\\u2028"]
        )
    ),
    st.lists(st.sampled_from(["> 1", " ", "''", "\n    ", "\\\n   ", "x"])),
)
@example("'{}'", ["''", "''"], [])
def test_any_character_is_found_in_every_style(style: str, before: list[str], after: list[str]) -> None:
    """A mark put anywhere into a value, whatever its quotes, folds and escapes, is found where it was put."""
    source = "a: 1\ne: " + style.format("x" + "".join(before) + "§" + "".join(after)) + "\nb: 2\n"
    node, complaints = read(source)
    if not isinstance(node, Fields) or [c for c in complaints if "tags" not in c] or "e" not in node.fields:
        return  # not every mixture is YAML
    value = node.fields["e"]
    assert isinstance(value, Scalar)
    found = value.place_of(value.text.index("§"))
    assert LINE_BREAK.split(source)[found.line - 1][found.column - 1] == "§"


def test_the_place_after_the_last_character_is_behind_it() -> None:
    """Where something is missing at the end."""
    node, _ = read('e: "up >"\nf: |\n  up >\n\n')
    assert isinstance(node, Fields)
    for key, place in (("e", Place("f.yml", 1, 9)), ("f", Place("f.yml", 3, 7))):
        value = node.fields[key]
        assert isinstance(value, Scalar)
        assert value.place_of(len(value.text)) == place


@settings()  # a busy machine is no mistake
@given(st.one_of(st.binary(max_size=300), st.text("ab:-[]{}&*!|>'\"#%?,\n \t\x85\u2028é", max_size=80)))
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
@example("? ? ? a")
@example("%YAML 3.0\n---\na")
@example("a: !<tag:x> b")
@example("a: " + "9" * 5000)
def test_any_bytes_give_a_tree_or_a_complaint_within_the_file(data: str | bytes) -> None:
    """Never an exception; a place always names a line and column that exist."""
    raw = data.encode() if isinstance(data, str) else data
    complaints = Complaints()
    node = compose("f.yml", raw, complaints)
    for complaint in complaints.sorted():
        assert complaint.place.line >= 1
        assert 1 <= complaint.place.column <= len(complaint.line) + 1
    assert node is None or isinstance(node, Scalar | Items | Fields)
