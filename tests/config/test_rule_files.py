"""The files that a configuration names beside itself, read as one."""

from __future__ import annotations

from pathlib import Path

import pytest
from rule_files import ALERTS, SPECS, write

from agent.config.rule_files import RuleFiles
from agent.rulebook import BadRules


def test_rules_names_and_target_labels_come_together(tmp_path: Path) -> None:
    """The labels are the configuration's, the names the file's."""
    rules, names = write(tmp_path, alerts=ALERTS), tmp_path / "names.yml"
    names.write_text("aliases: {disk: {of: host_log_dir_used_ratio}}")

    read = RuleFiles(SPECS, (rules,), names, (("cluster", "east"),)).read()

    assert (len(read.book.alerts), read.names.origin("disk")) == (1, "host_log_dir_used_ratio")
    assert read.names.targets == (("cluster", "east"),)


def test_what_is_wrong_in_any_file_refuses_all(tmp_path: Path) -> None:
    """A file of names that is not there as well."""
    rules = write(tmp_path, alerts=ALERTS.replace("expr", "exprr"))

    with pytest.raises(BadRules) as caught:
        RuleFiles(SPECS, (rules,), tmp_path / "names.yml").read()

    said = [str(complaint).rpartition("/")[2] for complaint in caught.value.complaints]
    assert said[-1] == "names.yml:1:1: cannot be read: No such file or directory"
    assert any("did you mean 'expr'" in words for words in said)


def test_the_file_of_names_is_part_of_the_stamp(tmp_path: Path) -> None:
    """Also before it is there."""
    files = RuleFiles(SPECS, (write(tmp_path, alerts=ALERTS),), tmp_path / "names.yml")
    before = files.stamp()

    (tmp_path / "names.yml").touch()

    assert files.stamp() != before
