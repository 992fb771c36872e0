"""A grammar of expressions: floats, what is stable in Prometheus 2.42, few names, so that much matches.

Kept out is what two implementations need not agree on. Functions whose last bit depends on the mathematical
library stand outermost, and % and count_values take only what nothing has rounded: around them a bit would
become an answer. No topk of equals: Prometheus takes them in the order in which its series began. No dates of
seconds that are not finite: Go leaves them open.

Kept out is what Prometheus 3 changed: deviations of infinities, the name of what atan2 gives, timestamps of
offset and @ together, rates where a counter's first value after a gap is not 0. Windows are whole seconds,
those of subqueries, whose steps are whole seconds, are not: neither instants on half seconds nor samples 7 ms
after a second can meet an edge. For `<n>` see `pinned`.
"""

from __future__ import annotations

import re

_SIMPLE = {
    "range": "20s 45s 1m 2m 3m20s 5m 7m",
    "sub": "40s300ms 1m1s300ms 2m300ms 4m10s300ms",
    "name": "g g g k k c u h_bucket missing",
    "op": "+ - * / ^",
    "cmp": "== != < > <= >=",
    "set": "and or unless",
    "number": "0 1 2 -1 0.5 3 0.9 1e3 NaN Inf -Inf 0x1F -2.5e-1",
    "fraction": "0 0.25 0.5 0.9 0.99 1 -1 2 NaN",
    "count": "0 1 2 3 100 -1 1.9",
    "aggregate": "sum sum avg min max count group",
    "deviation": "stddev stdvar",
    "counted": "rate increase",
    "over": "avg_over_time min_over_time max_over_time sum_over_time count_over_time last_over_time"
    " present_over_time stddev_over_time stdvar_over_time absent_over_time"
    " delta irate idelta changes resets deriv",
    "calendar": "minute hour day_of_week day_of_month day_of_year days_in_month month year",
    "rough": "exp ln log2 log10 sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh deg rad",
}

GRAMMAR = {symbol: tuple(words.split()) for symbol, words in _SIMPLE.items()} | {
    "exact": ("abs", "ceil", "floor", "sgn", "sort", "sort_desc", "absent", "round"),
    "bool": ("", "", " bool"),
    "step": ("", "", "7s", "15s", "20s", "1m"),
    "offset": ("", "", "", "", " offset 13s", " offset 1m", " offset 4m", " offset -20s", " offset -2m"),
    "at": ("", "", "", "", "", "", " @ <0>", " @ <-100>", " @ <61>", " @ start()", " @ end()"),
    "matchers": (
        'a="1"',
        'a="2"',
        'a!="1"',
        'a!=""',
        'a=""',
        'b=""',
        'b="x"',
        'a=~"1|2"',
        'a=~"[12]?"',
        'a!~"1.*"',
        'b=~"."',
        'b=~".+"',
        'b!~"x|"',
        'z=""',
        'z=~".*"',
        'z="1"',
        'a!="1",a!="2"',
        'a=~".+",a!~"2"',
        'a="1",b="x"',
        'le!="2"',
    ),
    "nameless": (
        '{__name__="g"}',
        '{__name__=~"g|k"}',
        '{a="1"}',
        '{__name__!="g",a=~".+"}',
        '{__name__=~"c.*",b="x"}',
    ),
    "bare": (*["<name>"] * 6, *["<name>{<matchers>}"] * 4, "<nameless>"),
    "grouping": (
        "",
        "",
        " by (a)",
        " by (b)",
        " by (a, b)",
        " by (le)",
        " by ()",
        " by (z)",
        " without (a)",
        " without (b, le)",
    ),
    "one": (
        "",
        "",
        " on (a)",
        " on (a, b)",
        " on ()",
        " ignoring (b)",
        " ignoring (a, b, le)",
        " on (z)",
        " ignoring ()",
    ),
    "many": (
        " on (a) group_left",
        " on (a) group_right",
        " on (a) group_left (b)",
        " on (a) group_right (z)",
        " ignoring (b) group_left",
        " ignoring (b) group_right",
        " ignoring (b, le) group_left ()",
        " on () group_left (a)",
        " on (b) group_right (a, z)",
    ),
    "s.leaf": ("<number>", "<number>", "time()", "pi()", "scalar(k)", 'scalar(g{a="1",b="x"})'),
    "s": (
        "<number>",
        "<number>",
        "<number>",
        "(<s> <op> <s>)",
        "(<s> <cmp> bool <s>)",
        "-<s>",
        "scalar(<v>)",
    ),
    "v.leaf": (
        "<bare><offset><at>",
        "<bare><at><offset>",
        "<over>(<bare>[<range>]<offset><at>)",
        "<counted>(c[<range>]<offset><at>)",
        "<counted>(c{<matchers>}[<range>])",
        "quantile_over_time(<fraction>, <bare>[<range>])",
        "predict_linear(<bare>[<range>], <s>)",
        "histogram_quantile(<fraction>, h_bucket<offset>)",
        "vector(<s>)",
    ),
    "v": (
        "<bare><offset><at>",
        "<over>(<bare>[<range>]<offset><at>)",
        "<counted>(c[<range>]<offset><at>)",
        "<counted>((c<offset>)[<sub>:7s])",
        "(<v> <op><one> <v>)",
        "(<v> <op><many> <v>)",
        "(<v> <cmp><bool><one> <v>)",
        "(<v> <cmp><bool><many> <v>)",
        "(<v> <set><one> <v>)",
        "(<v> <op> <s>)",
        "(<s> <op> <v>)",
        "(<v> <cmp><bool> <s>)",
        "(<s> <cmp><bool> <v>)",
        "<aggregate><grouping> (<v>)",
        "<aggregate><grouping> (<v>)",
        "topk<grouping> (<count>, <ranked>)",
        "bottomk<grouping> (<count>, <ranked>)",
        "quantile<grouping> (<fraction>, <v>)",
        'count_values<grouping> ("n", <bare><offset>)',
        'count_values<grouping> ("n", changes(<bare>[<range>]))',
        "timestamp(<bare><offset>)",
        "timestamp(vector(<s>))",
        "<deviation><grouping> ((<v> > -1e6) < 1e6)",
        "abs(<v> atan2<one> <v>)",
        "(<bare> % <number>)",
        "(<bare> %<one> <bare>)",
        "<exact>(<v>)",
        "<calendar>((<v> > -1e9) < 4e9)",
        "round(<v>, <s>)",
        "clamp(<v>, <s>, <s>)",
        "clamp_min(<v>, <s>)",
        "clamp_max(<v>, <s>)",
        "-<v>",
        "+<v>",
        "histogram_quantile(<fraction>, <v>)",
        'label_replace(<v>, "n", "$1-${2}", "a", "(.)(.*)")',
        'label_replace(<v>, "a", "q", "b", "x")',
        'label_replace(<v>, "b", "", "b", ".*")',
        'label_join(<v>, "n", "-", "a", "b")',
        'label_join(<v>, "a", "", "z")',
        "<over>((<v>)[<sub>:<step>]<offset><at>)",
        "<over>((<v>)[<sub>:<step>])",
    ),
    "ranked": ("u<offset><at>", "-u{<matchers>}", "avg_over_time(u[<range>]<offset>)", "(u > 50)", "u * 0.5"),
    "expression": (*["<v>"] * 6, "<rough>(<bare>)", "<rough>((<v> > -99) < 99)", "<s>"),
}


def pinned(text: str, moment: int) -> str:
    """The text with each `<n>` an instant: n seconds after the moment (ms)."""
    return re.sub(r"<(-?\d+)>", lambda found: f"{moment / 1000 + int(found[1]):.3f}", text)
