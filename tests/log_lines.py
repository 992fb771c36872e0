"""Random log patterns and random bytes to search: what the laws of log scanning and the fuzz share."""

from __future__ import annotations

import re2
from hypothesis import strategies as st

_TEXTS = ("ERROR", "a", "b", "dir ", "x=", "éa", "aa", " ", "\t", ".", "-", "7", "ab ab")
_CHARS = (
    ".",
    r"\S",
    r"\s",
    r"\d",
    r"\w",
    r"\W",
    r"\D",
    "[^x]",
    "[ab]",
    "[ks]",
    "[^a ]",
    "[a-c7]",
    "[é]",
    r"[[:alpha:]]",
)
_TIMES = ("", "", "", "+", "*", "?", "+?", "*?", "??", "{2}", "{1,3}", "{0,2}?")
_ENDS = ("^", "$", r"\b", r"\B", r"\A", r"\z")


def _escaped(text: str) -> str:
    return text.replace(".", r"\.").replace("+", r"\+")


@st.composite
def _atoms(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from(("text", "text", "char", "char", "end", "group" if depth else "text")))
    if kind == "text":
        return _escaped(draw(st.sampled_from(_TEXTS)))
    if kind == "char":
        return draw(st.sampled_from(_CHARS)) + draw(st.sampled_from(_TIMES))
    if kind == "end":
        return draw(st.sampled_from(_ENDS))
    inner = "|".join(draw(st.lists(_rows(depth - 1), min_size=1, max_size=3)))
    return draw(st.sampled_from(("(", "(?:", "(?P<>", "(?P<>"))) + inner + ")" + draw(st.sampled_from(_TIMES))


@st.composite
def _rows(draw: st.DrawFn, depth: int) -> str:
    return "".join(draw(st.lists(_atoms(depth), min_size=0 if depth < 2 else 1, max_size=4)))


@st.composite
def regexes(draw: st.DrawFn) -> str:
    """One that RE2 takes, with groups named g0, g1 and so on."""
    regex = draw(st.sampled_from(("", "", "", "", "(?i)", "(?s)"))) + "|".join(
        draw(st.lists(_rows(2), min_size=1, max_size=2))
    )
    pieces = regex.split("(?P<>")
    regex = pieces[0] + "".join(f"(?P<g{n}>{piece}" for n, piece in enumerate(pieces[1:]))
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(regex, options)
    except re2.error:
        return draw(st.just("ERROR"))
    return regex


_PIECES = st.sampled_from(
    (
        *(
            b"ERROR",
            b"a",
            b"b",
            b"ab",
            b"dir ",
            b"x=",
            b"x",
            b" ",
            b"\t",
            b".",
            b"-",
            b"7",
            b"ab ab",
            b"error",
            b"AB",
        ),
        *(
            "é".encode(),
            "é".encode()[:1],
            "\u212a".encode(),
            "\u017f".encode(),
            b"\xff",
            b"\x00",
            b"\r",
            b"\x0b",
        ),
        *("\U0001f600".encode(), b"a" * 40, b"ab " * 30),
    )
)
_ANY = st.binary(max_size=12).map(lambda data: data.replace(b"\n", b""))
LINES = st.lists(st.lists(_PIECES | _ANY, max_size=6).map(b"".join), max_size=25)
