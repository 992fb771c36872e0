"""An agent whose certificate and stop file lie on a disk that hangs, and one whose names nobody looks up."""

from __future__ import annotations

import time
from pathlib import Path

from hung_agent import BOUND_S, PROMISE_S, WAIT_S, asked, firing, running, until
from hung_files import hung, hung_names

CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {url: "http://127.0.0.1:1/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [data]}
host: {listener: "127.0.0.1:1", certificates: {listeners: ["127.0.0.1:1"]}}
security: {protocol: SSL, cert_file: own.pem, key_file: own.key}
state: state
socket: ottla.sock
stop_file: stop
http: {listen: "127.0.0.1:0"}
interval: 100ms
"""
ALERTS = """
groups:
  - name: hung
    rules:
      - {alert: Unread, expr: host_certificate_unread_total >= 1}
      - {alert: Silent, expr: 'sum(kafka_probe_failures_total) >= 40'}
"""
NAMED = """
bootstrap_servers: ["kafka-1:1", "kafka-2:1"]
jolokia: {url: "http://kafka-1:1/jolokia"}
rules: rules
broker: {node_id: 1, log_dirs: [data]}
host: {listener: "localhost:1"}
state: state
socket: ottla.sock
http: {listen: "127.0.0.1:0"}
interval: 100ms
"""


def test_it_goes_on_says_so_and_ends_at_once(tmp_path: Path) -> None:
    """After 40 looks, more than it has threads to lose, it shows and judges; SIGTERM ends it in seconds."""
    errors = 'ottla_source_errors_total{source="protocol_probe"}'
    failed = ALERTS.replace("kafka_probe_failures_total", errors)
    asks = "      - {alert: Asks, expr: kafka_probe_up == 0}\n"  # else nobody would ask
    with (
        hung(tmp_path / "own.pem"),
        hung(tmp_path / "stop"),
        running(tmp_path, CONFIG, failed + asks) as agent,
    ):
        until("both alerts", lambda: firing(tmp_path) == {"Unread", "Silent"})
        stopped = asked(tmp_path, "status")["modes"]["stopped"]
        began = time.monotonic()
        agent.terminate()
        code = agent.wait(WAIT_S)
        took = time.monotonic() - began

    assert stopped.startswith("it is taken to stand, as it cannot be read: ")
    assert code == 0
    print(f"ended within {took:.1f} s of {PROMISE_S} s, asserted: {BOUND_S} s")
    assert took < BOUND_S


def test_names_that_hang_delay_no_other_and_it_ends_at_once(tmp_path: Path) -> None:
    """A name that is known is looked up on, while JMX and the cluster wait for theirs."""
    silent = ALERTS.replace("host_certificate_unread_total", "ottla_source_errors_total")
    with (
        hung_names(tmp_path) as (variable, value),
        running(tmp_path, NAMED, silent, **{variable: value}) as agent,
    ):
        until("both alerts", lambda: firing(tmp_path) == {"Unread", "Silent"})
        began = time.monotonic()
        agent.terminate()
        code = agent.wait(WAIT_S)
        took = time.monotonic() - began

    assert code == 0
    print(f"ended within {took:.1f} s of {PROMISE_S} s, asserted: {BOUND_S} s")
    assert took < BOUND_S
