"""Prometheus's API over real sockets: what is answered to whom, and every error's shape and status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from fake_surface import NOW, FakeSurface
from prometheus_samples import store

from agent.web import prometheus_answers, query_threads
from agent.web.server import Server

AT = f"{NOW / 1000:.3f}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def surface() -> FakeSurface:
    made = FakeSurface()
    made.series = store()
    return made


@pytest.fixture
async def address(tmp_path: Path, surface: FakeSurface) -> AsyncIterator[str]:
    server = Server(surface, listen="127.0.0.1:0", path=tmp_path / "s", state=tmp_path)
    yield await server.start()
    await server.close()


Pairs = list[tuple[str, str]]


def span(query: str, start: str, end: str, step: str) -> Pairs:
    return [("query", query), ("start", start), ("end", end), ("step", step)]


async def get(address: str, path: str, *pairs: tuple[str, str], **more: Any) -> tuple[int, Any]:
    return await ask(address, "GET", f"{path}?{urlencode(pairs)}", **more)


async def post(address: str, path: str, *pairs: tuple[str, str], **more: Any) -> tuple[int, Any]:
    return await ask(address, "POST", path, data=urlencode(pairs), headers=FORM | more)


async def ask(address: str, method: str, path: str, **more: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, f"http://{address}/api/v1/{path}", **more) as answer,
    ):
        assert answer.content_type == "application/json"
        return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize(
    ("path", "pairs"),
    [
        ("query", [("query", "up"), ("time", AT)]),
        ("query_range", [("query", "up"), ("start", AT), ("end", AT), ("step", "15")]),
        ("query_exemplars", [("query", "up"), ("start", "1790000000000"), ("end", "1790000000001")]),
        ("series", [("match[]", "up"), ("match[]", "work_total")]),
        ("labels", [("match[]", "up")]),
    ],
)
async def test_get_post_and_the_socket_answer_the_same(
    address: str, tmp_path: Path, path: str, pairs: Pairs
) -> None:
    """A POST with a form is only a question: over TCP, and over the socket without a right to order."""
    status, told = await get(address, path, *pairs)
    assert status == 200
    assert await post(address, path, *pairs) == (status, told)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "s"))) as client:
        url = f"http://localhost/api/v1/{path}"
        async with client.post(url, data=urlencode(pairs), headers=FORM) as answer:
            assert json.loads(await answer.read()) == told


@pytest.mark.parametrize("path", ["rules", "alerts", "metadata", "label/host/values", "status/buildinfo"])
async def test_the_others_take_get_alone(address: str, path: str) -> None:
    """405 has Grafana ask again by GET."""
    assert (await get(address, path))[0] == 200
    assert (await post(address, path))[0] == 405


async def test_durations_may_name_the_step_and_the_range_of_a_range_query(address: str) -> None:
    start = f"{NOW / 1000 - 60:.3f}"
    _, plain = await get(address, "query_range", *span("max_over_time(up[5m] offset 1m)", start, AT, "15"))
    text = "max_over_time(up[step() * 20] offset range())"
    assert await get(address, "query_range", *span(text, start, AT, "15")) == (200, plain)
    assert plain["data"]["result"]


async def test_now_is_asked_about_where_no_time_is_given(address: str) -> None:
    _, told = await get(address, "query", ("query", "up"))
    assert {cell["value"][0] for cell in told["data"]["result"]} == {NOW / 1000}


async def test_a_body_s_value_comes_before_the_url_s(address: str) -> None:
    _, told = await ask(address, "POST", "query?query=1", data="query=2", headers=FORM)
    assert told["data"]["result"][1] == "2"


@pytest.mark.parametrize(
    ("path", "pairs", "status", "kind", "words"),
    [
        ("query", [("query", "up{")], 400, "bad_data", 'invalid parameter "query": 1:'),
        ("query", [("query", "up[step()]")], 400, "bad_data", "1:4: parse error: duration must be greater"),
        ("query", [("query", "")], 400, "bad_data", 'invalid parameter "query"'),
        ("query", [("query", "up"), ("time", "soon")], 400, "bad_data", 'cannot parse "soon" to a'),
        ("query", [("query", "up"), ("timeout", "x")], 400, "bad_data", 'invalid parameter "timeout"'),
        ("query", [("query", "up"), ("limit", "-1")], 400, "bad_data", "limit must be non-negative"),
        ("query", [("query", "up"), ("lookback_delta", "1m")], 400, "bad_data", "the lookback is 5m here"),
        ("query", [("query", "up * on(job) up")], 422, "execution", "matching"),
        ("query_range", span("up", "2", "1", "1"), 400, "bad_data", "end timestamp must not be before"),
        ("query_range", span("up", "1", "2", "0"), 400, "bad_data", "zero or negative query resolution"),
        ("query_range", span("up", "0", "11001", "1"), 400, "bad_data", "maximum resolution of 11,000"),
        ("query_range", span("up[5m]", "1", "2", "1"), 400, "bad_data", '"range vector" for range query'),
        ("query_range", span("up", "", "2", "1"), 400, "bad_data", 'invalid parameter "start"'),
        ("series", [], 400, "bad_data", "no match[] parameter provided"),
        ("series", [("match[]", "{}")], 400, "bad_data", 'invalid parameter "match[]"'),
        ("labels", [("match[]", "up["), ("start", "1")], 400, "bad_data", 'invalid parameter "match[]"'),
        ("rules", [("type", "x")], 400, "bad_data", "not supported value"),
        ("metadata", [("limit", "x")], 400, "bad_data", "not a whole number"),
    ],
)  # fmt: skip
async def test_errors_are_prometheus_s(
    address: str, path: str, pairs: Pairs, status: int, kind: str, words: str
) -> None:
    """Its status, its type, and words that name the parameter."""
    got, told = await get(address, path, *pairs)
    assert (got, told["status"], told["errorType"]) == (status, "error", kind)
    assert words in told["error"]


async def test_a_range_of_exactly_11000_steps_is_answered(address: str) -> None:
    status, told = await get(address, "query_range", *span("1", "0", "11000", "1"))
    assert (status, len(told["data"]["result"][0]["values"])) == (200, 11_001)


async def test_a_long_query_fits_into_the_url(address: str) -> None:
    """As long as a query may be at all."""
    text = "up{" + ",".join(f'job!="job{n:03d}"' for n in range(700)) + "}"
    assert 9_000 < len(text) <= 10_000
    assert (await get(address, "query", ("query", text)))[0] == 200


@pytest.mark.parametrize("body", [b"query=%ff", b"&".join([b"a=1"] * 2_000), b"\xff"])
async def test_a_form_that_cannot_be_read_is_refused(address: str, body: bytes) -> None:
    status, told = await ask(address, "POST", "query", data=body, headers=FORM)
    assert (status, told["errorType"]) == (400, "bad_data")


async def test_the_time_that_a_client_gives_ends_its_query(address: str) -> None:
    """503 as in Prometheus, so that clients say that it took too long."""
    status, told = await get(address, "query", ("query", "up"), ("timeout", "0"))
    assert (status, told["errorType"]) == (503, "timeout")


async def test_a_query_that_takes_too_long_is_ended_while_it_runs(address: str) -> None:
    pairs = span("quantile_over_time(0.5, work_total[10m])", f"{NOW / 1000 - 600}", AT, "0.06")
    status, told = await get(address, "query_range", *pairs, ("timeout", "20ms"))
    assert (status, told["errorType"], told["error"]) == (
        503,
        "timeout",
        "query timed out in expression evaluation",
    )


async def test_a_query_of_too_many_samples_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus_answers, "MAX_SAMPLES", 100)
    status, told = await get(address, "query", ("query", "work_total[10m]"))
    assert (status, told["errorType"]) == (422, "execution")
    assert "more than 100 samples" in told["error"]


async def test_a_query_more_than_there_are_places_for_is_turned_away(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a reason, and a hint when to come again."""
    monkeypatch.setattr(query_threads, "WAITING", -query_threads.THREADS)
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://{address}/api/v1/query?query=1") as answer,
    ):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        told = await answer.json()
    assert (told["errorType"], "try again" in told["error"]) == ("unavailable", True)


async def test_a_query_whose_client_hangs_up_is_given_up(
    address: str, surface: FakeSurface, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread sees it soon, long before its time is over; /metrics counts it as cancelled."""
    began, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(leash: query_threads.Leash) -> list[bytes]:
        loop.call_soon_threadsafe(began.set)
        while not leash.over():
            pass
        loop.call_soon_threadsafe(ended.set)
        return []

    monkeypatch.setattr(prometheus_answers, "answered", lambda *_: slow(query_threads.Leash(0.0)))
    monkeypatch.setattr(prometheus_answers, "_in_time", lambda leash, _: slow(leash))
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /api/v1/query?query=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        await began.wait()
        writer.close()
        await ended.wait()
        while 'outcome="cancelled"} 1.0' not in await metrics(address):
            await asyncio.sleep(0.01)


async def metrics(address: str) -> str:
    async with aiohttp.ClientSession() as client, client.get(f"http://{address}/metrics") as answer:
        return await answer.text()


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1.evil.example", "null", "http://["]
)
async def test_a_page_of_another_site_cannot_have_us_compute(address: str, origin: str) -> None:
    """A form that a page sends to 127.0.0.1 carries the page's origin."""
    status, told = await post(address, "query", ("query", "1"), Origin=origin)
    assert (status, "another site" in told["error"]) == (403, True)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:9901", "http://[::1]"])
async def test_a_page_of_this_machine_may_ask(address: str, origin: str) -> None:
    assert (await post(address, "query", ("query", "1"), Origin=origin))[0] == 200


async def test_label_names_and_values_follow_the_selectors_and_the_time(address: str) -> None:
    """All, those of some series, and those that had samples then; a limit cuts them and says so."""
    assert (await get(address, "labels"))[1]["data"] == ["__name__", "host", "job", "kind", "path"]
    assert (await get(address, "labels", ("match[]", "up")))[1]["data"] == ["__name__", "host", "job"]
    names = (await get(address, "label/__name__/values"))[1]["data"]
    assert names == ["early", "late", "odd", "up", "work_total"]
    since = ("start", f"{NOW / 1000 - 60:.3f}")
    assert "early" not in (await get(address, "label/__name__/values", since))[1]["data"]
    last = f"{NOW / 1000 + 0.007}"  # of this series alone
    exactly = (("start", last), ("end", last))
    assert (await get(address, "label/__name__/values", *exactly))[1]["data"] == ["late"]
    told = (await get(address, "label/__name__/values", ("limit", "2")))[1]
    assert told["data"] == ["early", "late"]
    assert told["warnings"] == ["results truncated due to limit"]


@pytest.mark.parametrize(
    ("name", "found"),
    [("path", ["/d1", "/d2"]), ("U__path", ["/d1", "/d2"]), ("U___70_ath", ["/d1", "/d2"]), ("nobody", []),
     ("U__a_b", []), ("U___110000_", [])],
)  # fmt: skip
async def test_label_values_take_escaped_names(address: str, name: str, found: list[str]) -> None:
    """As Grafana sends names that hold more than word characters; what is no escape is a name."""
    assert (await get(address, f"label/{name}/values"))[1]["data"] == found


async def test_metadata_can_be_asked_for_one_metric(address: str) -> None:
    _, told = await get(address, "metadata", ("metric", "up"))
    assert told["data"] == {"up": [{"type": "gauge", "help": "Whether it answers", "unit": ""}]}
    _, told = await get(address, "metadata", ("limit", "1"))
    assert list(told["data"]) == ["up"]


async def test_a_large_answer_arrives_whole(address: str) -> None:
    """In pieces, with its length said before."""
    pairs = span("work_total", f"{NOW / 1000 - 600}", AT, "0.1")
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://{address}/api/v1/query_range?{urlencode(pairs)}") as answer,
    ):
        body = await answer.read()
        assert int(answer.headers["Content-Length"]) == len(body) > 500_000
    assert [len(line["values"]) for line in json.loads(body)["data"]["result"]] == [6_001] * 6
