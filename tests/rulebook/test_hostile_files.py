"""Files that nobody should have made: refused in words, and at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.rulebook import read
from agent.rulebook.load import rule_files
from agent.rulebook.stamps import stamp

HEAD = "groups:\n  - name: g\n    rules:\n"
RULE = "      - alert: A\n        expr: up == 0\n"
FILES = {
    "10 MB of comments": b"#" * 10_000_000,
    "10 MB of rules": (HEAD + RULE * 200_000).encode(),
    "1 MB of rules": (HEAD + RULE * 21_000).encode(),
    "one endless list": ("a: [" + "x," * 500_000).encode(),
    "one endless key": b"a" * 1_000_000 + b": 1\n",
    "one endless expression": (HEAD + "      - alert: A\n        expr: '" + "a+" * 400_000 + "1'\n").encode(),
    "a key 150,000 times": b"a: 1\n" * 150_000,
    "aliases of aliases": (
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    ).encode(),
    "an alias of itself": b"groups: &a [*a]\n",
    "deep in brackets": b"[" * 500_000,
    "deep in dashes": b"- " * 300_000,
    "deep in lines": "".join(" " * n + "a:\n" for n in range(1000)).encode(),
    "deep in questions": b"? " * 300_000,
    "100,000 anchors": "".join(f"&a{n} " for n in range(100_000)).encode(),
    "200,000 documents": b"---\n" * 200_000,
    "a quote that never ends": b'"' + b"\\" * 900_000,
    "NUL": b"groups:\n  - name: a\0b\n",
    "UTF-16": HEAD.encode("utf-16"),
    "UTF-16 without a mark": HEAD.encode("utf-16-le"),
    "Latin-1": (HEAD + RULE).encode() + "# é".encode("latin1"),
    "tabs": b"groups:\n\t- name: a\n",
    "brackets in PromQL": (
        HEAD + "      - alert: A\n        expr: '" + "(" * 4000 + "1" + ")" * 4000 + "'\n"
    ).encode(),
    "a pattern of patterns": (
        HEAD + "      - alert: A\n        expr: 'x{a=~\"((a{1000}){1000}){1000}\"} > 0'\n"
    ).encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_each_is_refused_soon(name: str, tmp_path: Path) -> None:
    """With a place within the file; an agent reads rules while it works."""
    path = tmp_path / "alerts.yml"
    path.write_bytes(FILES[name])
    began = time.process_time()
    complaints = read([tmp_path], {}).complaints
    took = time.process_time() - began
    assert complaints, name
    assert all(c.place.line >= 1 and c.message for c in complaints.sorted())
    assert took < 10, f"{took:.1f} s: under one on an idle core, and what is square takes minutes"


@pytest.mark.parametrize(
    "change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t, lambda t: t + "\n\n"]
)
def test_what_other_editors_write_is_read(change: object, tmp_path: Path) -> None:
    """CRLF, a byte order mark, empty lines at the end."""
    assert callable(change)
    (tmp_path / "alerts.yml").write_bytes(change(HEAD + RULE).encode())
    reading = read([tmp_path], {})
    assert not reading.complaints
    assert len(reading.book.alerts) == 1


def test_a_key_of_another_or_later_format_is_named_with_its_place(tmp_path: Path) -> None:
    """As Prometheus does: a key that is not understood must not look as if it were."""
    (tmp_path / "alerts.yml").write_text(
        HEAD.replace("    rules", "    source_tenants: [a]\n    rules") + RULE
    )
    (said,) = read([tmp_path], {}).complaints.sorted()
    assert str(said).endswith(
        ":3:5: unknown key 'source_tenants' in a group; known keys: interval, labels, limit, name,"
        " query_offset, rules"
    )


MADE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (lambda path: path.symlink_to("nowhere"), "this link leads to nothing"),
    "a circle": (
        lambda path: path.symlink_to(path.name),
        "cannot be read: Too many levels of symbolic links",
    ),
    "a pipe": (os.mkfifo, "this is no file"),
    "a folder": (Path.mkdir, "this is a folder, and not a file"),
}


@pytest.mark.parametrize("name", ["alerts.yml", "remedies.yml", "logs.yml"])
@pytest.mark.parametrize("what", MADE)
def test_what_is_named_as_a_rule_file_and_is_none_is_an_error(tmp_path: Path, name: str, what: str) -> None:
    """An agent that passed it over would lose its alerts at the next reload, and say nothing."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "alerts.yml").write_text(HEAD + RULE)
    make, words = MADE[what]
    make(tmp_path / name)
    assert [str(c) for c in read([tmp_path], {}).complaints.sorted()] == [f"{tmp_path / name}:1:1: {words}"]


def test_links_to_what_is_there_are_followed(tmp_path: Path) -> None:
    """A link may lead to a folder, and a file be given by the number of what is open."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "alerts.yml").write_text(HEAD + RULE)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "linked").symlink_to(tmp_path / "there")
    with (tmp_path / "there" / "alerts.yml").open() as file:
        for path in (tmp_path / "rules", Path(f"/dev/fd/{file.fileno()}")):
            reading = read([path], {})
            assert not reading.complaints, path
            assert len(reading.book.alerts) == 1


def test_a_link_to_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """As of one that is not mounted: its rules would be missing without a word. It is seen to come back."""
    rules, there, away = tmp_path / "rules", tmp_path / "there", tmp_path / "away"
    for folder in (rules, there):
        folder.mkdir()
        (folder / "alerts.yml").write_text(HEAD + RULE)
    (rules / "team").symlink_to(there)
    whole = stamp(rule_files([rules]))
    there.rename(away)
    gone = stamp(rule_files([rules]))
    assert [str(c) for c in read([rules], {}).complaints.sorted()] == [
        f"{rules / 'team'}:1:1: this link leads to nothing"
    ]
    away.rename(there)
    assert len(read([rules], {}).book.alerts) == 2
    assert stamp(rule_files([rules])) == whole != gone


@pytest.mark.parametrize("name", [".#alerts.yml", "README", "notes.md", "alerts.yml.orig", "1/2/3/beyond"])
def test_other_links_that_lead_to_nothing_are_passed_over(tmp_path: Path, name: str) -> None:
    """Locks and copies of editors, what is there to be read by people, what would be too deep to be read."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "alerts.yml").write_text(HEAD + RULE)
    (tmp_path / name).symlink_to("nowhere")
    assert not read([tmp_path], {}).complaints
