"""How many patients a remedy's alert has, by which `max_targets` tells a local fault from one of many."""

from __future__ import annotations

from pathlib import Path

from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.daemon.sight import Sight
from agent.model import Sample
from agent.rulebook import load
from agent.series import Series

MINUTE = 60_000


def patients(folder: Path, target: str, *dirs: str) -> int:
    """Of as many full log dirs, with this `target`."""
    text = REMEDIES.replace("target: path", f"target: {target}")
    book = load([write(folder, alerts=ALERTS, remedies=text)], SPECS)
    sight = Sight(book, Series(60 * MINUTE), lambda: None, 1)
    sight.series.want(sight.windows)
    for now in range(MINUTE, 4 * MINUTE, MINUTE // 4):
        touched = sight.take([Sample("host_log_dir_used_ratio", (("path", d),), now, 0.9) for d in dirs])
        sight.judge(now, touched, frozenset())
    return sight.patients(book.remedies["LogDirFillingUp"])


def test_each_alert_without_the_target_s_label_is_a_patient_of_its_own(tmp_path: Path) -> None:
    assert patients(tmp_path, "path", "/d1", "/d2") == 2
    assert patients(tmp_path, "alertname", "/d1", "/d2") == 1
    assert patients(tmp_path, "pth", "/d1", "/d2") == 2
