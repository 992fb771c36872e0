"""The configuration: what the file says, what it leaves to defaults, and every mistake at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import BadConfig, Config, load
from agent.control.times import BUDGETS, LAB, PRODUCTION
from agent.kafka.connection import Security
from agent.model import Policy, Rate
from agent.sources.broker_pid import BrokerAt
from agent.sources.exposition_http import Target
from agent.sources.host import LogDirPath
from agent.sources.tls_files import TlsFiles

SMALLEST = """\
bootstrap_servers: ["127.0.0.1:9092"]
jolokia: {url: "http://127.0.0.1:8778/jolokia"}
rules: /etc/ottla/rules
broker: {server_properties: server.properties}
"""

EMPTY = (
    "ottla.yml:1:1: the file is empty; it needs bootstrap_servers, rules, broker, and jolokia or exposition"
)
EVERYTHING = """\
bootstrap_servers: ["k1:9092", "[::1]:9092"]
jolokia:
  url: "https://127.0.0.1:8778/jolokia"
  username: reader
  password_file: secret
  ca_file: secret
  cert_file: secret
  key_file: secret
  server_name: broker-7
rules: [rules, /etc/ottla/rules]
rules_watch: false
names: names.yml
target_labels: {cluster: east, broker: 7}
broker:
  node_id: 7
  log_dirs: [/d1, {path: /d2, capacity: 256MiB, probe_file: probe}]
  logs: [/var/log/kafka/server.log]
state: state
socket: /run/o.sock
stop_file: /etc/stop
http: {listen: "127.0.0.1:0"}
interval: 1s
control: {topic: control, create: true, bootstrap_servers: ["c:9092"], times: lab, budgets: {disk_drain: 4}}
security:
  protocol: SASL_SSL
  mechanism: SCRAM-SHA-512
  username: ottla
  password_file: secret
  ca_file: ca.pem
  cert_file: cert.pem
  key_file: key.pem
policy:
  per_host: 2/30m
  breaker: 5
  startup_grace: 1m
  drain_headroom: 25%
  max_move_rate: 10MiB/s
  min_throttle_rate: 2MiB/s
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the settings above name."""
    (tmp_path / "server.properties").write_text("node.id=2\nlog.dirs=/a,/b\nlisteners=PLAINTEXT://:9092\n")
    (tmp_path / "secret").write_text("s3cret\n")
    return tmp_path


def read(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    """The configuration that stands in `text`."""
    file = folder / "ottla.yml"
    file.write_bytes(text.encode(errors="surrogatepass"))
    return load(file, environ or {})


def complaints(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is wrong with it, without the folder's name."""
    with pytest.raises(BadConfig) as caught:
        read(folder, text, environ)
    return [str(c).replace(f"{folder}/", "") for c in caught.value.complaints]


def test_the_smallest_file_needs_four_settings(folder: Path) -> None:
    """Node id and log dirs are the broker's own; everything else has a default."""
    config = read(folder, SMALLEST)
    assert (config.broker.node_id, config.broker.log_dirs) == (2, (LogDirPath("/a"), LogDirPath("/b")))
    assert config.broker.listeners == ("PLAINTEXT://:9092",)
    assert config.rules == (Path("/etc/ottla/rules"),)
    assert (config.state, config.socket) == (Path("/var/lib/ottla"), Path("/run/ottla/ottla.sock"))
    assert (config.listen, config.interval_ms) == ("127.0.0.1:9901", 15_000)
    assert (config.security, config.policy) == (Security(), Policy())
    assert (config.control.bootstrap_servers, config.control.times) == (("127.0.0.1:9092",), PRODUCTION)
    assert config.jolokia is not None
    assert config.jolokia.auth is None


def test_every_setting_can_be_said(folder: Path) -> None:
    """Relative paths start at the file's folder."""
    config = read(folder, EVERYTHING)
    assert config.bootstrap_servers == ("k1:9092", "[::1]:9092")
    assert config.jolokia is not None
    assert config.jolokia.auth == ("reader", "s3cret")
    secret = str(folder / "secret")
    assert config.jolokia.tls == TlsFiles(secret, secret, secret, "broker-7")
    assert config.rules == (folder / "rules", Path("/etc/ottla/rules"))
    assert config.broker.node_id == 7
    assert config.broker.log_dirs == (
        LogDirPath("/d1"),
        LogDirPath("/d2", 256 << 20, str(folder / "probe")),
    )
    assert (config.state, config.stop_file, config.listen) == (
        folder / "state",
        Path("/etc/stop"),
        "127.0.0.1:0",
    )
    assert (config.interval_ms, config.control.times, config.control.create) == (1_000, LAB, True)
    assert config.control.bootstrap_servers == ("c:9092",)
    assert config.control.budgets["disk_drain"].cap == 4
    assert config.control.budgets.keys() == {"disk_drain"}
    assert config.security.password == "s3cret"
    assert (config.security.mechanism, config.security.ca_file) == ("SCRAM-SHA-512", str(folder / "ca.pem"))
    assert config.policy == Policy(Rate(2, 1_800_000), 5, 60_000, 0.25, 10 << 20, 2 << 20)


def test_a_budget_keeps_its_rate(folder: Path) -> None:
    """The file says how many at once; how many a day stays."""
    config = read(folder, SMALLEST + "control: {budgets: {restart: 2}}\n")
    assert config.control.budgets["restart"].rate == BUDGETS["restart"].rate


def test_secrets_come_from_files_that_the_environment_may_name_and_are_not_shown(folder: Path) -> None:
    """As service managers hand them over; and no log line may print one."""
    (folder / "other").write_text("fr0m-env")
    config = read(folder, EVERYTHING, {"OTTLA_SECURITY_PASSWORD_FILE": str(folder / "other")})
    assert config.security.password == "fr0m-env"
    assert config.jolokia is not None
    assert config.jolokia.password == "s3cret"
    assert "s3cret" not in repr(config)
    assert "fr0m-env" not in repr(config)


@pytest.mark.parametrize(
    ("written", "attach"),
    [
        ("auto", "auto"),
        ("4711", 4711),
        ("/run/kafka.pid", BrokerAt(pid_file="/run/kafka.pid")),
        ("kafka@2.service", BrokerAt(unit="kafka@2.service")),
    ],
)
def test_jolokia_can_be_attached(folder: Path, written: str, attach: object) -> None:
    """To the process that is found in one of four ways, with the jar that is loaded there."""
    text = SMALLEST.replace(
        'url: "http://127.0.0.1:8778/jolokia"', f"attach: {written}, agent_jar: a.jar, port: 8778"
    )

    settings = read(folder, text).jolokia

    assert settings is not None
    assert (settings.attach, settings.agent_jar, settings.port) == (attach, str(folder / "a.jar"), 8778)
    assert settings.url == ""


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("{}", "2:10: `jolokia` has no 'url'; add `url:`, or `attach: auto` with agent_jar"),
        (
            '{url: "http://a/jolokia", attach: auto, agent_jar: a.jar}',
            "2:10: url and attach are two ways to the same JVM; keep one of them",
        ),
        (
            "{attach: auto}",
            "2:10: attach and agent_jar go together: the jar is what is loaded into the broker",
        ),
        (
            '{url: "http://a/jolokia", port: 1}',
            "2:10: port is that of an attached agent; the URL has its own",
        ),
        (
            "{attach: kafka, agent_jar: a.jar}",
            "2:19: attach: 'kafka' is no process; write auto, kafka.service, a pid file's path, or a pid",
        ),
        ("{attach: auto, agent_jar: a.jar, port: 65536}", "2:49: port: 65536 is no port; write it like 8778"),
    ],
)
def test_what_cannot_be_attached_is_told(folder: Path, written: str, why: str) -> None:
    """In words."""
    text = SMALLEST.replace('{url: "http://127.0.0.1:8778/jolokia"}', written)

    assert complaints(folder, text) == [f"ottla.yml:{why}"]


def test_names_target_labels_and_the_watch(folder: Path) -> None:
    """Labels are texts, as in Prometheus's own configuration; by default files are watched."""
    config = read(folder, EVERYTHING)
    assert (config.rules_watch, config.names) == (False, folder / "names.yml")
    assert config.target_labels == (("broker", "7"), ("cluster", "east"))
    smallest = read(folder, SMALLEST)
    assert (smallest.rules_watch, smallest.names, smallest.target_labels) == (True, None, ())
    assert complaints(folder, SMALLEST + "target_labels: {__name__: x}\n") == [
        "ottla.yml:5:16: target_labels: '__name__' is no label name; letters, digits and _ only"
    ]


def test_every_mistake_is_reported_at_once(folder: Path) -> None:
    """With the loader and the words of the rules."""
    text = """\
bootstrap_servers: [localhost]
jolokia: {url: "ftp://x", user: a}
rules: []
broker: {node_id: two, log_dirs: [{path: /d, capcity: 1GiB}]}
inteval: 15s
http: {listen: 9901}
policy: {breaker: 0, drain_headroom: 2, per_host: 6}
control: {times: labs, budgets: {disk_drian: 2}}
state: /a
state: /b
"""
    assert complaints(folder, text) == [
        "ottla.yml:1:21: bootstrap_servers: 'localhost' is no address; write it like 127.0.0.1:9092",
        "ottla.yml:2:16: url: 'ftp://x' is no URL; write it like http://127.0.0.1:8778/jolokia",
        "ottla.yml:2:27: unknown key 'user' in `jolokia`; did you mean 'username'?",
        "ottla.yml:3:8: rules: the list is empty",
        "ottla.yml:4:9: nothing says the broker's node id; add `server_properties:` or `node_id:`",
        "ottla.yml:4:19: node_id: expected a whole number, but here stands the text 'two'",
        "ottla.yml:4:46: unknown key 'capcity' in a log dir; did you mean 'capacity'?",
        "ottla.yml:5:1: unknown key 'inteval' in the configuration; did you mean 'interval'?",
        "ottla.yml:6:16: listen: expected text, but here stands a number '9901'; put it in quotes",
        "ottla.yml:7:19: breaker: must be at least 1",
        "ottla.yml:7:38: drain_headroom: bad ratio '2': it must lie between 0 and 1",
        (
            "ottla.yml:7:51: per_host: expected a count in a time, but here stands a number '6'"
            "; write it like 2/1h"
        ),
        (
            "ottla.yml:8:18: times: expected one of production, lab, but here stands the text 'labs'"
            "; did you mean 'lab'?"
        ),
        "ottla.yml:8:34: unknown key 'disk_drian' in `budgets`; did you mean 'disk_drain'?",
        "ottla.yml:10:1: duplicate key 'state': the first is on line 9",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("security: {protocol: SASL_SSL}", "5:11: SASL_SSL needs mechanism, username and password_file"),
        ("security: {username: a, password_file: secret}", "5:11: PLAINTEXT has no login"),
        ("security: {protocol: SSL, cert_file: c}", "5:11: cert_file and key_file go together"),
        ("security: {ca_file: c}", "5:11: PLAINTEXT is not encrypted"),
        ("security: {password_file: none}", "5:27: password_file: none cannot be read: No such file"),
        ("security: {password_file: empty}", "5:27: password_file: empty is empty"),
        (
            "security: {password_file: bytes}",
            "5:27: password_file: bytes has a control character, U+000B",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_reported(folder: Path, line: str, said: str) -> None:
    """Better at the start than at the first connection."""
    (folder / "empty").write_text("")
    (folder / "bytes").write_bytes(b"abc\x0bdef\n")
    assert complaints(folder, SMALLEST + line + "\n")[0].startswith(f"ottla.yml:{said}")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "url: 'http://x/', server_name: y",
            "http is not encrypted, so certificates and server_name have no",
        ),
        ("url: 'https://x/', key_file: secret", "cert_file and key_file go together"),
        ("url: 'https://x/', ca_file: none", "ca_file: none cannot be read: No such file or directory"),
    ],
)
def test_certificates_of_jolokia_must_have_a_use(folder: Path, more: str, said: str) -> None:
    """As those of exporters."""
    (told,) = complaints(folder, SMALLEST.replace('url: "http://127.0.0.1:8778/jolokia"', more))
    assert said in told


def test_a_log_dir_is_called_as_java_reads_it(folder: Path) -> None:
    """From bytes that are Latin-1, whatever wrote them; and from escapes of UTF-16."""
    written = "node.id=2\nlog.dirs=/é,/\\uD83D\\uDE00\nlisteners=A://:9092\n"
    (folder / "server.properties").write_text(written, "utf-8")
    assert read(folder, SMALLEST).broker.log_dirs == (LogDirPath("/Ã©"), LogDirPath("/\U0001f600"))


def test_a_missing_server_properties_is_named(folder: Path) -> None:
    """With what is then not known."""
    said = complaints(folder, SMALLEST.replace("server.properties", "nowhere.properties"))
    assert "nowhere.properties cannot be read: No such file or directory" in said[-1]
    assert any("nothing says the broker's node id" in each for each in said)


def test_credentials_in_a_url_are_refused(folder: Path) -> None:
    """URLs are printed."""
    said = complaints(folder, SMALLEST.replace("http://", "http://u:p@"))
    assert said == [
        "ottla.yml:2:16: url: credentials in a URL are shown in logs; use username and password_file"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "",
            EMPTY,
        ),
        (
            "x",
            "ottla.yml:1:1: the configuration is a mapping of keys to values, but here stands the text 'x'",
        ),
        ("a: [", "ottla.yml:1:5: not YAML: did not find expected node content while parsing a flow node"),
    ],
)
def test_what_is_no_configuration_gives_one_complaint(folder: Path, text: str, said: str) -> None:
    """Not one a missing key."""
    assert complaints(folder, text) == [said]


def test_a_missing_file_is_a_complaint(tmp_path: Path) -> None:
    """Whoever starts the agent catches one kind of error."""
    with pytest.raises(BadConfig, match=r"none\.yml:1:1: cannot be read: No such file or directory"):
        load(tmp_path / "none.yml", {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.integers(0, len(EVERYTHING) - 1), st.text(max_size=3), st.integers(0, 15))
def test_any_slip_loads_or_is_complained_of(folder: Path, at: int, put: str, cut: int) -> None:
    """Nothing but BadConfig comes out of a load."""
    with suppress(BadConfig):
        read(folder, EVERYTHING[:at] + put + EVERYTHING[at + cut :])


EXPORTER = """\
bootstrap_servers: ["127.0.0.1:9092"]
rules: /etc/ottla/rules
broker: {server_properties: server.properties}
exposition:
"""


def test_an_exporter_alone_is_enough(folder: Path) -> None:
    """One of the two must be there."""
    config = read(folder, EXPORTER + "  - url: http://127.0.0.1:7071/metrics\n")
    assert config.jolokia is None
    assert config.exposition == (Target("http://127.0.0.1:7071/metrics"),)
    (said,) = complaints(folder, EXPORTER)
    assert said.startswith("ottla.yml:1:1: nothing says where the broker's metrics are; add `jolokia: {url: ")


def test_every_setting_of_a_target_can_be_said(folder: Path) -> None:
    """Files are named and not kept: they may be renewed."""
    config = read(
        folder,
        EXPORTER
        + """\
  - url: https://node:9100/metrics
    name: node
    interval: 30s
    username: me
    password_file: secret
    ca_file: secret
    cert_file: secret
    key_file: secret
    server_name: exporter
    filter_names: false
    max_body: 1MiB
    max_samples: 10
    labels: {job: node}
    honor_labels: true
""",
    )
    file = str(folder / "secret")
    assert config.exposition == (
        Target(
            url="https://node:9100/metrics",
            name="node",
            interval_ms=30_000,
            username="me",
            password_file=file,
            tls=TlsFiles(file, file, file, "exporter"),
            filter_names=False,
            max_body=1 << 20,
            max_samples=10,
            labels=(("job", "node"),),
            honor_labels=True,
        ),
    )
    assert "s3cret" not in repr(config)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ("[{}]", "a target has no 'url'; add `url:`"),
        ("[{url: 'http://u:p@x/'}]", "url: credentials in a URL are shown in logs; use username and"),
        ("[{url: 'http://x/', name: jmx}]", "name: a source of the agent's own is called 'jmx'"),
        (
            "[{url: 'http://x/', name: 'a b'}]",
            "name: 'a b' is no name for a source; letters, digits, _ and -",
        ),
        ("[{url: 'http://x/', username: 'a:b'}]", "'a:b' is no user's name; it has no colon and no control"),
        (f"[{{url: 'http://{'x' * 64}/'}}]", "is no URL; write it like http://127.0.0.1:8778/jolokia"),
        ("[{url: 'http://x/', username: a}]", "username and password_file go together"),
        ("[{url: 'http://x/', bearer_token_file: none}]", "none cannot be read: No such file or directory"),
        ("[{url: 'http://x/', ca_file: secret}]", "http is not encrypted, so certificates and server_name"),
        ("[{url: 'https://x/', cert_file: secret}]", "cert_file and key_file go together"),
        ("[{url: 'http://x/', max_body: 1GiB}]", "max_body lies between 1KiB and 256MiB"),
        (
            "[{url: 'http://x/', honor_label: 1}]",
            "unknown key 'honor_label' in a target; did you mean 'honor_labels'?",
        ),
        (
            "[{url: 'http://x/'}, {url: 'http://y/'}]",
            "two targets are called 'exposition'; give each a `name:`",
        ),
        (
            "[{url: 'http://x/'}, {url: 'http://y/', name: y, labels: {job: y}}]",
            "the targets 'exposition' and 'y' could give the same series; give both a label with different",
        ),
        (
            "[{url: http://x, labels: {a: x}, honor_labels: true}, {url: http://y, name: y, labels: {a: z}}]",
            "could give the same series",
        ),
    ],
)
def test_what_is_wrong_with_a_target_is_said(folder: Path, targets: str, said: str) -> None:
    """With its place and what to write instead."""
    told = complaints(folder, EXPORTER.removesuffix("\n") + " " + targets + "\n")
    assert len(told) == 1
    assert said in told[0]


def test_two_targets_that_a_label_keeps_apart(folder: Path) -> None:
    """No series of one can be a series of the other."""
    two = "[{url: 'http://x/', labels: {job: x}}, {url: 'http://y/', name: y, labels: {job: y}}]"
    config = read(folder, EXPORTER.removesuffix("\n") + " " + two + "\n")
    assert [target.name for target in config.exposition] == ["exposition", "y"]
