"""`ottla rules backtest` and `diff`: as people call them, and as the page shows them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from debian_prometheus import program
from prometheus_server import Server
from rule_files import ALERTS, REMEDIES, write

from agent.cli import cli
from agent.promql.vectors import is_stale
from agent.recording.dump import Dump

ROOT = Path(__file__).parents[2]
HISTORY = ROOT / "tests" / "backtest" / "full_disk.om"
LOG = ROOT / "tests" / "backtest" / "server.log"
PAGE = (ROOT / "docs" / "backtest.md").read_text()
SHOWN = [line.strip() for line in PAGE.splitlines() if re.match(r" {4}ottla rules ", line)]


def ottla(*words: str | Path) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(cli, [*map(str, words)], catch_exceptions=False)


def backtest(rules: Path, *words: str | Path) -> Result:
    """Over the recording of a disk that fills up twice."""
    return ottla("rules", "backtest", rules, "--from", HISTORY, "--interval", "1m", *words)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real Prometheus that holds the same recording."""
    with Server(program("prometheus"), tmp_path_factory.mktemp("prometheus")) as running:
        recorded = Dump(HISTORY).read()
        running.write(
            ((("__name__", name), *labels), each.times, each.values) for name, labels, each in recorded
        )
        assert not any(is_stale(each.values).any() for _, _, each in recorded)
        yield running


def test_what_a_source_could_not_read_is_read_from_history(tmp_path: Path) -> None:
    """No rule names that series, and all rules rest on it."""
    used = "".join(f'host_log_dir_used_ratio{{path="/d1"}} 0.5 {60 * n}\n' for n in range(20))
    unread = 'ottla_source_unread{metric="host_log_dir_used_ratio",source="host"}'
    (tmp_path / "past.om").write_text(f"{used}{unread} 1 300\n{unread} 1 360\n# EOF\n")
    rules = write(tmp_path, alerts=ALERTS)
    done = ottla("rules", "backtest", rules, "--from", tmp_path / "past.om", "--interval", "1m")
    assert done.exit_code == 0, done.output
    assert "failing for 14m" in done.output, done.output


def test_the_shipped_rules_over_a_disk_that_fills_up() -> None:
    """Refused while partitions move, then done, healed, refused by its cooldown, done again."""
    done = ottla(
        "rules",
        "backtest",
        ROOT / "rules",
        "--from",
        HISTORY,
        "--logs",
        LOG,
        "--log-zone",
        "UTC",
        "-o",
        "json",
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    fired = {each["alert"]: each["fired"] for each in found["rules"]}
    assert {"LogDirOffline", "ReplicaCatchUpStorm", "OfflinePartitions"} <= fired.keys()
    assert {name: times for name, times in fired.items() if times} == {
        "LogDirFillingUp": 2,
        "LogDirNearlyFull": 1,
        "LogDirFailed": 1,
    }
    told = [(entry["kind"], entry["question"]) for entry in found["remedies"]]
    assert [each for each in told if each[0] in ("refused", "started", "healed")] == [
        ("refused", "coexistence"),
        ("started", ""),
        ("healed", ""),
        ("refused", "cooldown"),
        ("started", ""),
    ]
    assert any("history does not react" in words for words in found["assumed"])


def test_a_server_tells_the_same_as_the_file(tmp_path: Path, server: Server) -> None:
    """The same samples over HTTP: the same alerts and decisions."""
    rules = write(tmp_path, alerts=ALERTS, remedies=REMEDIES)
    span = ("--start", "2026-08-01T00:10:00Z", "--end", "2026-08-01T05:50:00Z", "-o", "json")
    url = f"http://127.0.0.1:{server._port}"
    by_file = json.loads(backtest(rules, *span).stdout)
    by_http = json.loads(ottla("rules", "backtest", rules, "--from", url, "--interval", "1m", *span).stdout)
    assert by_http["rules"] == by_file["rules"]
    assert by_http["remedies"] == by_file["remedies"]
    assert by_http["rules"][0]["fired"] == 2


def test_where_chooses_series(tmp_path: Path) -> None:
    """Those with the label, of all that rules read."""
    rules = write(tmp_path, alerts=ALERTS)
    found = json.loads(backtest(rules, "--where", "path=/d2", "-o", "json").stdout)
    assert (found["series"], found["rules"][0]["fired"]) == (1, 0)
    assert "write it like instance=" in backtest(rules, "--where", "path").output


def test_observers_are_taken_for_actors_where_that_is_asked(tmp_path: Path) -> None:
    """What would they do, if they were let?"""
    rules = write(tmp_path, alerts=ALERTS, remedies=REMEDIES.replace("mode: act", "mode: observe"))
    assert "would do drain_disk" not in backtest(rules).output
    assert "would do drain_disk on /d1" in backtest(rules, "--as-if-act").output


def test_a_page_is_written(tmp_path: Path) -> None:
    """Beside the text."""
    done = backtest(write(tmp_path, alerts=ALERTS), "--html", tmp_path / "page.html")
    assert done.exit_code == 0
    assert "LogDirFillingUp" in (tmp_path / "page.html").read_text()
    assert "cannot be written" in backtest(tmp_path, "--html", tmp_path / "no" / "page.html").output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "no history: say --from"),
        (("--from", "http://127.0.0.1:1"), 1, "no answer from http://127.0.0.1:1"),
        (("--from", "nowhere.om"), 1, "nowhere.om cannot be read: No such file"),
        (("--from", HISTORY, "--interval", "1ms"), 2, "--interval is at least 1s"),
        (("--from", HISTORY, "--log-zone", "Mars"), 2, "no time zone 'Mars'"),
        (("--from", HISTORY, "--start", "noon"), 2, "bad time 'noon'"),
        (("--from", HISTORY, "--last", "a day"), 2, "bad duration 'a day'"),
        (("--from", HISTORY, "--logs", HISTORY), 1, "no pattern of the rules is for full_disk.om"),
        (("--from", HISTORY, "--start", "2027-01-01T00:00:00Z"), 1, "ends before it begins"),
        (("--from", HISTORY, "--timeout", "0s"), 1, "not done within the time allowed"),
        (("--from", HISTORY, "--where", "path=/d9"), 1, "nothing that the rules read is in this history"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    """With what to do, and the exit code of their kind."""
    done = ottla("rules", "backtest", write(tmp_path, alerts=ALERTS), *words)
    assert (done.exit_code, said in done.output) == (code, True), done.output


def test_bad_rules_are_said_with_their_places(tmp_path: Path) -> None:
    """As `rules check` says them."""
    done = backtest(write(tmp_path, alerts=ALERTS.replace("> 0.85", "> > 0.85")))
    assert done.exit_code == 1
    assert "disk/alerts.yml:5:" in done.output


def test_a_diff_says_what_a_change_would_do(tmp_path: Path) -> None:
    """And by its exit code whether it would do anything."""
    for name, threshold in (("old", "0.85"), ("new", "0.96")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, alerts=ALERTS.replace("0.85", threshold), remedies=REMEDIES)
    over = ("--from", HISTORY, "--interval", "1m")
    done = ottla("rules", "diff", tmp_path / "old", tmp_path / "new", *over)
    assert done.exit_code == 1
    assert '- LogDirFillingUp: {path="/d1"} does not fire from' in done.output
    assert "would do drain_disk on /d1" in done.output
    same = ottla("rules", "diff", tmp_path / "old", tmp_path / "old", *over, "-o", "json")
    assert (same.exit_code, json.loads(same.stdout)["changes"]) == (0, [])


@pytest.mark.parametrize("line", SHOWN)
def test_the_commands_of_the_page_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a recording in the server's place, and the shipped rules in those of the host."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "rules", "rules")
    shutil.copy(HISTORY, "history.om.gz")
    for name in ("server.log", "server.log.1.gz"):
        shutil.copy(LOG, name)
    words = [
        {"http://prometheus:9090": "history.om.gz", "/etc/ottla/rules": "rules"}.get(word, word)
        for word in shlex.split(line)[1:]
        if not word.startswith("instance=") and word != "--where"
    ]
    done = ottla(*words)
    assert done.exit_code == 0, done.output
    assert "html" not in line or Path("page.html").exists()


def test_the_page_shows_each_kind() -> None:
    """So the test above is about something."""
    assert len(SHOWN) == 5
    assert sum("diff" in line for line in SHOWN) == 1
