"""Go's fmt verbs for texts, numbers and truth values, their complaints about wrong ones included."""

from __future__ import annotations

import json
import math
import re

from agent.promql.numbers import general

_VERB = re.compile(
    r"%(?P<flags>[-+ 0]*)(?P<width>\d{0,3})(?P<point>\.(?P<digits>\d{0,2}))?(?P<verb>.?)", re.DOTALL
)
_TYPES = {str: "string", int: "int", float: "float64", bool: "bool"}
_FLOATS = "vgGeEfF"

Plain = str | int | float | bool


def show(value: object) -> str:
    """As `%v` prints it."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return general(value)
        case dict():
            return f"map[{' '.join(f'{name}:{value[name]}' for name in sorted(value))}]"
        case _:
            return str(value)


def printf(form: str, args: tuple[Plain, ...]) -> str:
    """As fmt.Sprintf."""
    out, at, used = [], 0, 0
    for match in _VERB.finditer(form):
        out.append(form[at : match.start()])
        at = match.end()
        if match["verb"] == "%":
            out.append("%")
        elif not match["verb"]:
            out.append("%!(NOVERB)")
        elif used >= len(args):
            out.append(f"%!{match['verb']}(MISSING)")
        else:
            out.append(_padded(match, args[used]))
            used += 1
    out.append(form[at:])
    if used < len(args):
        extra = ", ".join(f"{_TYPES[type(a)]}={show(a)}" for a in args[used:])
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _padded(match: re.Match[str], value: Plain) -> str:
    verb = match["verb"]
    text = _formatted(match, verb, value)
    if text is None:  # as Go complains, with the flags
        text = _filled(match, _formatted(match, "v", value) or "")
        return f"%!{verb}({_TYPES[type(value)]}={text})"
    return _filled(match, text)


def _filled(match: re.Match[str], text: str) -> str:
    width = int(match["width"] or 0)
    if "-" in match["flags"]:
        return text.ljust(width)
    if "0" in match["flags"] and text[-1:].isdigit() and match["verb"] not in "sqt":
        return text.zfill(width)
    return text.rjust(width)


def _formatted(match: re.Match[str], verb: str, value: Plain) -> str | None:
    """None for a verb that is none of this type's."""
    digits = int(match["digits"] or 0) if match["point"] else None
    if isinstance(value, str):
        cut = value if digits is None else value[:digits]
        return cut if verb in "vs" else json.dumps(cut, ensure_ascii=False) if verb == "q" else None
    if isinstance(value, bool):
        return show(value) if verb in "vt" else None
    if isinstance(value, int):
        return _signed(str(value), match["flags"]) if verb in "vd" else None
    return _signed(_float(value, verb, digits), match["flags"]) if verb in _FLOATS else None


def _float(value: float, verb: str, digits: int | None) -> str:
    if not math.isfinite(value):
        return general(value)
    if verb in "eEfF":
        return f"{value:.{6 if digits is None else digits}{'f' if verb == 'F' else verb}}"
    text = general(value) if digits is None else f"{value:.{digits}g}"
    return text.upper() if verb == "G" else text


def _signed(text: str, flags: str) -> str:
    if text == "+Inf" and " " in flags and "+" not in flags:
        return " Inf"
    if text[:1] in "+-":
        return text
    return f"+{text}" if "+" in flags else f" {text}" if " " in flags else text
