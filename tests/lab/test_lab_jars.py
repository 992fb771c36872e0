"""Jars: fetched once, whole or not at all, by one at a time. Maven is a script here, and really runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agent.lab import jars
from agent.lab.errors import LabError

FAKE = """#!/bin/sh
echo "$@" >> {log}
for a in "$@"; do
  case "$a" in -DoutputDirectory=*) out="${{a#*=}}";; -Dkafka.version=*) v="${{a#*=}}";; esac
done
mkdir -p "$out"; touch "$out/jolokia-agent-jvm-2.6.0-javaagent.jar"
{middle}
touch "$out/kafka_2.13-$v.jar"
"""


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a Maven that writes two files; gives the script."""
    for name in ("KAFKA_HOME", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTTLA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    script(tmp_path / "bin/java", "#!/bin/sh\n")
    return script(tmp_path / "bin/mvn", FAKE.format(log=tmp_path / "calls", middle="sleep 0.3"))


def script(path: Path, text: str) -> Path:
    """An executable."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def calls(tmp_path: Path) -> list[str]:
    """How Maven was called."""
    return (tmp_path / "calls").read_text().splitlines()


def test_the_version_is_the_poms_and_only_one_place_says_it() -> None:
    """A version that is asked for is given to Maven as a property instead."""
    assert f"<kafka.version>{jars.default_version()}</kafka.version>" in jars.POM.read_text()


def test_the_version_asked_for_is_fetched_once(maven: Path, tmp_path: Path) -> None:
    """The second lab finds it in the cache."""
    told: list[str] = []
    found = jars.find_or_fetch("4.2.1", told.append)
    assert found.kafka == "4.2.1"
    assert found.class_path == str(tmp_path / "cache/kafka-4.2.1/*")
    assert found.jolokia.endswith("jolokia-agent-jvm-2.6.0-javaagent.jar")
    assert "fetching" in told[0]
    assert jars.find_or_fetch("4.2.1", told.append) == found
    assert len(calls(tmp_path)) == 1
    assert "-Dkafka.version=4.2.1" in calls(tmp_path)[0]


def test_two_labs_fetch_once(maven: Path, tmp_path: Path) -> None:
    """The other waits, and says so."""
    told: list[str] = []
    threads = [threading.Thread(target=jars.find_or_fetch, args=("4.2.1", told.append)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(calls(tmp_path)) == 1
    assert any("waiting" in line for line in told)


def test_half_a_fetch_is_none(maven: Path, tmp_path: Path) -> None:
    """Nothing stays of it, the reason is Maven's, and the next attempt is a whole one."""
    script(maven, FAKE.format(log=tmp_path / "calls", middle='echo "[ERROR] no such artifact"; exit 1'))
    with pytest.raises(LabError, match="no such artifact"):
        jars.find_or_fetch("4.2.1", jars.silent)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["kafka-4.2.1.lock"]
    script(maven, FAKE.format(log=tmp_path / "calls", middle=""))
    assert jars.find_or_fetch("4.2.1", jars.silent).kafka == "4.2.1"


@pytest.mark.parametrize("version", ["3.9.1", "4.3", "latest", "4.3.1; rm"])
def test_a_version_that_a_lab_cannot_run_is_refused(maven: Path, version: str) -> None:
    """Before Maven is asked."""
    with pytest.raises(LabError, match="not a version"):
        jars.find_or_fetch(version, jars.silent)


def test_kafka_home_is_used_where_it_is_set(
    maven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only Jolokia, which Kafka does not bring, is fetched; its version is what the jar's name says."""
    libs = tmp_path / "kafka/libs"
    libs.mkdir(parents=True)
    (libs / "kafka_2.13-4.1.2.jar").touch()
    (libs / "kafka_2.13-4.1.2-test.jar").touch()
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path / "kafka"))
    found = jars.find_or_fetch(None, jars.silent)
    assert (found.kafka, found.class_path) == ("4.1.2", f"{libs}/*")
    assert "-Dartifact=org.jolokia:jolokia-agent-jvm:" in calls(tmp_path)[0]
    with pytest.raises(LabError, match=r"is Kafka 4\.1\.2, not 4\.3\.1"):
        jars.find_or_fetch("4.3.1", jars.silent)


def test_jmx_exporter_is_fetched_once_and_not_onto_the_class_path(maven: Path, tmp_path: Path) -> None:
    """A folder of its own: only a lab that wants it has it."""
    made = "touch $out/jmx_prometheus_javaagent-1.0.1.jar"
    script(maven, FAKE.format(log=tmp_path / "calls", middle=made))
    for _ in range(2):
        assert jars.exporter() == str(tmp_path / "cache/jmx_exporter/jmx_prometheus_javaagent-1.0.1.jar")
    (call,) = calls(tmp_path)
    assert "-Dartifact=io.prometheus.jmx:jmx_prometheus_javaagent:1.0.1" in call


def test_the_cache_is_where_its_user_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's is not below /root: the brokers run as another user, who must read it."""
    monkeypatch.delenv("OTTLA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/somebody/cache")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert jars.cache_folder() == Path("/home/somebody/cache/ottla")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert jars.cache_folder() == Path("/var/cache/ottla")


def test_a_missing_tool_is_named_with_its_command(
    maven: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where it cannot be installed by us."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="java is not installed") as caught:
        jars.find_or_fetch(None, jars.silent)
    assert caught.value.hint.startswith("sudo apt-get install")
