"""Kafka's jars: fetched once from Maven's repository into a cache folder, or those of KAFKA_HOME."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.lab.errors import LabError

Say = Callable[[str], None]


def silent(_: str) -> None:
    """For those who do not want to be told."""


POM = Path(__file__).with_name("pom.xml")
_PACKAGES = {"java": "default-jre-headless", "mvn": "maven"}
_TELL_EVERY = 25  # downloads


@dataclass(frozen=True)
class Jars:
    """What a broker runs on: Kafka's version, its class path, Jolokia's agent, and Java."""

    kafka: str
    class_path: str
    jolokia: str
    java: str


def default_version(part: str = "kafka") -> str:
    """The version of Kafka, or of another part, that the pom names."""
    match = re.search(rf"<{part}\.version>(.+?)</{part}\.version>", POM.read_text())
    assert match, f"the pom names the version of {part}"
    return match[1]


def find_or_fetch(version: str | None, say: Say) -> Jars:
    """Kafka of this version (None: the pom's, or KAFKA_HOME's); fetched if it is not in the cache.

    Tools that are missing are installed where that can be done, else LabError names the command.
    """
    java = _java(say)
    home = os.environ.get("KAFKA_HOME")
    if home:
        found = _version_of(Path(home, "libs"))
        if version not in (None, found):
            raise LabError(
                f"KAFKA_HOME={home} is Kafka {found}, not {version}", "unset KAFKA_HOME to fetch it"
            )
        agent = f"org.jolokia:jolokia-agent-jvm:{default_version('jolokia')}:jar:javaagent"
        jolokia = _cached("jolokia", ["dependency:copy", f"-Dartifact={agent}"], say)
        return Jars(found, f"{home}/libs/*", str(_one(jolokia, "jolokia-agent-jvm-*.jar")), java)
    version = version or default_version()
    if not re.fullmatch(r"[4-9]\.\d+\.\d+", version):
        raise LabError(f"Kafka {version!r} is not a version that a lab can run", "give one like 4.3.1")
    folder = _cached(f"kafka-{version}", ["dependency:copy-dependencies", f"-Dkafka.version={version}"], say)
    return Jars(version, f"{folder}/*", str(_one(folder, "jolokia-agent-jvm-*.jar")), java)


def exporter(say: Say = silent) -> str:
    """jmx_exporter's Java agent; fetched if it is not in the cache."""
    artifact = f"io.prometheus.jmx:jmx_prometheus_javaagent:{default_version('jmx_exporter')}"
    folder = _cached("jmx_exporter", ["dependency:copy", f"-Dartifact={artifact}"], say)
    return str(_one(folder, "jmx_prometheus_javaagent-*.jar"))


def cache_folder() -> Path:
    """Where fetched jars are kept. The brokers' user must be able to read it, so root's is not in /root."""
    if override := os.environ.get("OTTLA_CACHE"):
        return Path(override).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/ottla")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ottla"


def _cached(name: str, goal: Sequence[str], say: Say) -> Path:
    folder = cache_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_dir():
        return folder
    with _locked(folder.with_name(f"{name}.lock"), say):
        if not folder.is_dir():
            _need("mvn", say)
            with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=folder.parent) as temporary:
                jars = Path(temporary, "jars")
                say(f"fetching {name} from Maven's repository into {folder}")
                _maven([*goal, f"-DoutputDirectory={jars}"], name, say)
                for path in (jars, *jars.iterdir()):
                    path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.is_dir() else 0))
                jars.rename(folder)  # whole or not at all, whenever we are interrupted
    return folder


def _maven(goal: Sequence[str], name: str, say: Say) -> None:
    command = ["mvn", "--batch-mode", "-Dstyle.color=never", "--file", str(POM), *goal]
    environment = os.environ | {"MAVEN_OPTS": os.environ.get("MAVEN_OPTS", "-Xmx256m")}
    errors: list[str] = []
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        downloads = 0
        for line in process.stdout:
            downloads += line.startswith("Downloaded")
            if line.startswith("Downloaded") and downloads % _TELL_EVERY == 0:
                say(f"fetching {name}: {downloads} files")
            if line.startswith("[ERROR]") and len(errors) < 1:
                errors.append(line.removeprefix("[ERROR]").partition(" -> [Help")[0].strip())
    if process.returncode != 0:
        why = errors[0] if errors else f"mvn ended with {process.returncode}"
        raise LabError(
            f"{name} could not be fetched: {why}", "set KAFKA_HOME to use a Kafka that is installed"
        )


def _java(say: Say) -> str:
    home = os.environ.get("JAVA_HOME")
    if home and Path(home, "bin/java").exists():
        return f"{home}/bin/java"
    _need("java", say)
    return "java"


def _need(tool: str, say: Say) -> None:
    """Have `java` or `mvn` on the path."""
    if shutil.which(tool):
        return
    install = ["apt-get", "install", "--yes", "--no-install-recommends", _PACKAGES[tool]]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"{tool} is not installed", f"sudo {' '.join(install)}")
    say(f"{tool} is missing: installing {_PACKAGES[tool]} with apt-get")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], install):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603 - ours
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise LabError(f"{' '.join(command)} failed: {last}", f"install {_PACKAGES[tool]} and try again")


def _version_of(libs: Path) -> str:
    jar = _one(libs, "kafka_2.1?-[0-9]*.jar")
    match = re.fullmatch(r"kafka_2\.1\d-(\d+\.\d+\.\d+).*\.jar", jar.name)
    if not match:
        raise LabError(
            f"{jar} does not tell its version", "unset KAFKA_HOME to fetch Kafka from Maven's repository"
        )
    return match[1]


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(
        path for path in folder.glob(pattern) if not path.name.endswith(("-test.jar", "-sources.jar"))
    )
    if not found:
        raise LabError(
            f"{folder} holds no {pattern}", f"rm -r {folder} if it is a cache, or correct KAFKA_HOME"
        )
    return found[0]


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    """One fetch at a time; the lock dies with its holder."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another lab is fetching the same jars: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
