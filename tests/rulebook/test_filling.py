"""Labels of alerts come from outside, as from logs: in an expression they are a text and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.model import labels_of
from agent.promql.nodes import Matcher
from agent.rulebook.compiled import compiled
from agent.rulebook.filling import filled, misplaced, placed

QUOTES = "\"'`"
HOSTILE = "x'} or vector(1) or up{a='"


def matcher(text: str, value: str) -> Matcher:
    """That of `path`, once `$path` is filled in; nothing else is read but what was before."""
    (reach,) = compiled(filled(text, labels_of({"path": value}))).selectors
    assert reach.selector.name == "up"
    (one,) = (each for each in reach.selector.matchers if each.name == "path")
    return one


@given(st.text(), st.sampled_from(QUOTES), st.sampled_from(("=", "!=")))
@example(HOSTILE, "'", "=")
@example("it's", "'", "=")
@example('a"b\\', "`", "!=")
@example("$path\n", '"', "=")
def test_a_label_is_the_text_that_it_is(value: str, quote: str, operator: str) -> None:
    """Whatever quotes are around it."""
    one = matcher(f"up{{path{operator}{quote}$path{quote}}} > 0", value)

    assert (one.op, one.value) == (operator, value)


@given(st.text(), st.sampled_from(QUOTES))
@example(".*", '"')
@example("a|b", "'")
@example("{2}\\E", "`")
@example("[^a]-(?i)", '"')
def test_in_a_pattern_it_matches_itself_and_nothing_else(value: str, quote: str) -> None:
    """Its dots are dots."""
    one = matcher(f"up{{path=~{quote}/x/$path(/y)?{quote}}} > 0", value)

    assert one.matches(f"/x/{value}")
    assert one.matches(f"/x/{value}/y")
    assert not one.matches(f"/x/{value}z")
    assert "." not in value or not one.matches(f"/x/{value.replace('.', '_')}")


@given(st.sampled_from("abz0_.-^]\\"))
def test_in_a_class_of_a_pattern_it_is_one_of_the_characters(value: str) -> None:
    """Neither a range nor the end of the class."""
    one = matcher('up{path=~"[A$path/]"}', value)

    assert one.matches("A")
    assert one.matches(value)
    assert not one.matches("B")


def test_what_a_pattern_says_itself_stays_a_pattern() -> None:
    """Also where a text knows no escapes."""
    for quote, backslash in (('"', "\\\\"), ("'", "\\\\"), ("`", "\\")):
        one = matcher(f"up{{path!~{quote}$path{backslash}d+{quote}}}", "/d.")

        assert not one.matches("/d.17")
        assert one.matches("/dx17")


def test_it_stands_in_the_values_of_matchers_and_in_comments() -> None:
    """Elsewhere it would be code, or a name that nobody knows beforehand."""
    text = """up{path="$path", b!~ # as '$c'
      '$d'} > 0 # $e's"""

    assert misplaced(text) is None
    assert [each[1] for each in placed(text)] == ["path", "d"]
    labels = labels_of({"path": "p", "c": "c", "d": "d"})
    assert filled(text, labels) == text.replace("$path", "p").replace("'$d'", "'d'")


@pytest.mark.parametrize(
    "text",
    [
        "up > $path",
        'up{$path="a"}',
        'up{"$path"="a"}',
        '{"$path"}',
        'label_replace(up, "a", "$path", "b", "$path")',
        'count_values("$path", up)',
    ],
)
def test_elsewhere_it_is_a_mistake(text: str) -> None:
    """Which `rules check` names."""
    found = misplaced(text)

    assert found is not None
    assert found.start() == text.index("$path")


def test_a_label_that_the_alert_lacks_stays_as_it_is_written() -> None:
    """`rules check` has said so."""
    assert filled('up{path="$path"}', ()) == 'up{path="$path"}'


@pytest.mark.parametrize(
    "text",
    [
        'up{logger="kafka.log.LogCleaner$CleanerThread"}',
        "up{logger=~'.*KafkaApis$$anonfun.*'}",
        'up{logger="a\\x24path"}',
        'up{logger=~"a[$]path"}',
    ],
)
def test_a_dollar_may_be_one(text: str) -> None:
    """As in the names of Java classes, whatever labels there are; and as the page says it is written."""
    labels = labels_of({"path": "p", "CleanerThread": "c", "anonfun": "a"})

    assert placed(text) == []
    assert filled(text, labels) == text


@pytest.mark.parametrize("text", ["a$path", "/$path", "$path", "_$path", "/$Path", "a$_path", "$path$path"])
def test_elsewhere_in_a_text_it_begins_a_label(text: str) -> None:
    labels = labels_of({"path": "p", "Path": "p", "_path": "p"})

    assert "$" not in filled(f'up{{x="{text}"}}', labels)
    assert len(placed(f'up{{x="{text}"}}')) == text.count("$")
