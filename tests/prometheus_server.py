"""A real Prometheus server of one's own: fed by remote write, asked over HTTP, gone at the end."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from remote_write import Floats, Times, request

from agent.lab.ports import free_ports
from agent.model import Labels

_STARTS_S = 30


class Refused(Exception):
    """The server's answer was an error; its words are the message."""


class Server:
    """Runs `program` in `folder` until it is closed; scrapes nothing, keeps everything in its head block."""

    def __init__(self, program: str, folder: Path, config: str = "{}") -> None:
        (folder / "prometheus.yml").write_text(config)
        self.folder = folder
        self._port = free_ports(1)[0]
        flags = {
            "config.file": folder / "prometheus.yml",
            "storage.tsdb.path": folder / "data",
            "storage.tsdb.retention.time": "100y",
            "storage.tsdb.min-block-duration": "10y",  # never compacts, and takes samples in any distance
            "storage.tsdb.max-block-duration": "10y",
            "web.listen-address": f"127.0.0.1:{self._port}",
        }
        words = [f"--{name}={value}" for name, value in flags.items()]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [program, *words, "--web.enable-remote-write-receiver", "--web.enable-lifecycle"], stderr=log
            )
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        self._await_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, waiting until it has."""
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def write(self, series: Iterable[tuple[Labels, Times, Floats]]) -> None:
        """Adds samples, in order of time for each series; labels with `__name__`."""
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        status, body = self._post("/api/v1/write", request(series), headers)
        if status != http.client.NO_CONTENT:
            raise Refused(f"{status}: {body.decode()}")

    def api(self, path: str, **parameters: str) -> Any:
        """`data` of the answer of /api/v1/<path>. Raises Refused with the server's words."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        method = "POST" if parameters else "GET"
        self._connection.request(
            method, f"/api/v1/{path}", urllib.parse.urlencode(parameters).encode(), headers
        )
        answer = json.loads(self._connection.getresponse().read())
        if answer["status"] != "success":
            raise Refused(answer["error"])
        return answer["data"]

    @property
    def version(self) -> str:
        """Such as 2.42.0+ds."""
        version: str = self.api("status/buildinfo")["version"]
        return version

    def reload(self) -> None:
        """Have it read its configuration again."""
        status, body = self._post("/-/reload", b"", {})
        if status != http.client.OK:
            raise Refused(body.decode())

    def metric(self, name: str) -> float:
        """The sum of a metric of its own."""
        self._connection.request("GET", "/metrics")
        lines = self._connection.getresponse().read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))
        )

    def cpu_seconds(self) -> float:
        """Processor time used so far, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """Resident memory at most, since it was started."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _await_start(self) -> None:
        deadline = time.monotonic() + _STARTS_S
        while True:
            try:
                self._connection.request("GET", "/-/ready")
                answer = self._connection.getresponse()
                answer.read()
                if answer.status == http.client.OK:
                    return
            except ConnectionError:
                self._connection.close()
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise AssertionError(f"Prometheus is not ready: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
