"""Templates of labels and annotations, held to the real promtool where it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from debian_prometheus import program
from hypothesis import given
from hypothesis import strategies as st

from agent.alerts.templates import MAX_LENGTH, Unsupported, parse
from agent.model import labels_of

LABELS = {"path": "/data/d1", "topic": "orders", "empty": ""}
TEXTS = (
    "no template",
    "{{ $labels.path }} is {{ $value }}",
    "{{$labels.topic}}:{{$labels.none}}.",
    "{{ $value | humanize }} {{ humanize1024 $value }} {{ $value | humanizeDuration }}",
    "{{ $value | humanizePercentage }}",
    '{{ printf "%.2f" $value }} {{ printf "%s=%v" $labels.path $value }} {{ $value | printf "%.1f%%" }}',
    '{{ printf "%q %d" $labels.path $value }}',
    "{{ if gt $value 100.0 }}much{{ else if gt $value 1.0 }}some{{ else }}little{{ end }}",
    '{{ if eq $labels.topic "orders" }}ours{{ end }}{{ if ne $labels.topic "orders" }}theirs{{ end }}',
    "{{ if and $labels.path (not $labels.none) }}yes{{ end }}",
    "{{ if or $labels.none $labels.topic }}or{{ end }}",
    "{{ with $labels.path }}at {{ . }}{{ end }}{{ with $labels.none }}never{{ else }}nothing{{ end }}",
    "a {{- $labels.topic -}} b",
    "{{ $x := $labels.topic }}{{ $x | toUpper }} {{ title $x }}",
    '{{ "{{ literal }}" }}{{ `raw` }}',
    "{{/* a comment */}}{{ .Labels.path }} {{ .Value }}",
)
VALUES = (
    0.0,
    0.00001234,
    0.25,
    1.0,
    97.5,
    1234.5678,
    86_400.0 * 3,
    999_999.0,
    1e6,
    123_456_789.5,
    -2.5e-7,
    5e17,
)


def expanded(text: str, value: float) -> str:
    return parse(text).expand(labels_of(LABELS), value)


def test_what_people_write() -> None:
    assert expanded("{{ $labels.path }} is {{ $value | humanizePercentage }} full", 0.912) == (
        "/data/d1 is 91.2% full"
    )
    assert expanded('{{ printf "%.1f" $value }} MiB of {{ $labels.topic }}', 12.34) == "12.3 MiB of orders"
    assert expanded("{{ $value | humanizeDuration }}", 3725.0) == "1h 2m 5s"
    assert expanded("{{ $value | humanizeTimestamp }}", 0.0) == "1970-01-01 00:00:00 +0000 UTC"


def test_promtool_expands_them_alike(tmp_path: Path) -> None:
    """Every text with every value, by promtool's own unit tests; it says which differ."""
    promtool = program("promtool")
    rules = [
        {
            "alert": f"A{number}",
            "expr": "x",
            "annotations": {f"t{n}": text for n, text in enumerate(TEXTS)},
            "labels": {"number": str(number)},
        }
        for number in range(1)
    ]
    series = "x{" + ",".join(f'{name}="{value}"' for name, value in LABELS.items() if value) + "}"
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": f"{value:.20g}"}],
            "alert_rule_test": [
                {
                    "eval_time": "0m",
                    "alertname": "A0",
                    "exp_alerts": [
                        {
                            "exp_labels": {k: v for k, v in LABELS.items() if v} | {"number": "0"},
                            "exp_annotations": {f"t{n}": expanded(t, value) for n, t in enumerate(TEXTS)},
                        }
                    ],
                }
            ],
        }
        for value in VALUES
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": tests}))
    run = subprocess.run(
        [promtool, "test", "rules", "tests.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    "text",
    [
        *("{{ range query }}x{{ end }}", "{{ query `up` }}", "{{ if $value }}", "{{ end }}", "{{ $value"),
        *("{{ }}", '{{ define "x" }}{{ end }}', "{{ first }}", "{{ $value + 1 }}"),
    ],
)
def test_more_than_is_known_is_told(text: str) -> None:
    with pytest.raises(Unsupported):
        parse(text)


def test_what_fails_says_so_in_the_text() -> None:
    assert expanded("{{ humanize $labels.path }}", 1.0).startswith("<error expanding template:")
    assert expanded("{{ $none }}", 1.0).startswith("<error expanding template:")


def test_a_text_has_an_end() -> None:
    labels = labels_of({"a": "x" * 3000})
    text = parse("{{ $labels.a }}{{ $labels.a }}").expand(labels, 0.0)
    assert len(text) == MAX_LENGTH
    assert text.endswith("[cut]")


pieces = st.sampled_from(
    [
        *("{{", "}}", "$labels", "$labels.path", "$value", "|", "humanize", "printf", '"%d"', "(", ")", "if"),
        *("else", "end", "with", "eq", "1", ".", ":=", "$x", "'a'", "text", '"', "`", "-", "/*"),
    ]
)


@given(st.lists(pieces, max_size=12).map(" ".join) | st.text(max_size=30), st.floats())
def test_any_text_is_a_template_or_unsupported(text: str, value: float) -> None:
    try:
        template = parse(text)
    except Unsupported:
        return
    assert isinstance(template.expand(labels_of(LABELS), value), str)
