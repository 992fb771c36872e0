"""Prometheus's own HTTP API over the agent's series and rules, for Grafana, promtool and the like."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from agent.promql import EvaluationError
from agent.surface import Surface
from agent.web import prometheus_answers as answers
from agent.web.door import Handler
from agent.web.prometheus_answers import Question
from agent.web.prometheus_forms import BadParameter, read_form
from agent.web.prometheus_json import TooLarge, failure
from agent.web.query_threads import QUERY_S, GaveUp, Gone, NoPlace, QueryThreads

# Asked by POST too, with the parameters as a form: they read, whatever the method.
_BOTH: dict[str, Question] = {
    "query": answers.instant_query,
    "query_range": answers.range_query,
    "query_exemplars": answers.exemplars,
    "series": answers.series,
    "labels": answers.label_names,
}
_GET: dict[str, Question] = {
    "rules": answers.rules,
    "alerts": answers.alerts,
    "metadata": answers.metadata,
    "status/buildinfo": answers.build_info,
}
POSTED_READS = frozenset(f"/api/v1/{name}" for name in _BOTH)

_STATUS = {
    "bad_data": HTTPStatus.BAD_REQUEST,
    "execution": HTTPStatus.UNPROCESSABLE_ENTITY,
    "timeout": HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "canceled": HTTPStatus.SERVICE_UNAVAILABLE,
}


class Prometheus:
    """The routes, and how their questions are answered: in threads, or with Prometheus's errors."""

    def __init__(self, surface: Surface, threads: QueryThreads) -> None:
        self._surface = surface
        self._threads = threads

    def routes(self) -> list[web.RouteDef]:
        """The table of the routes; HEAD is none of them."""
        asked = [(name, self._answering(question)) for name, question in (_BOTH | _GET).items()]
        return [
            *(web.get(f"/api/v1/{name}", handler, allow_head=False) for name, handler in asked),
            *(web.post(f"/api/v1/{name}", handler) for name, handler in asked if name in _BOTH),
            web.get("/api/v1/label/{name}/values", self._label_values, allow_head=False),
        ]

    def _answering(self, question: Question) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, question)

        return handler

    async def _label_values(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, answers.label_values(request.match_info["name"]))

    async def _answer(self, request: web.Request, question: Question) -> web.StreamResponse:
        try:
            form = await read_form(request)
            seconds = form.duration("timeout") / 1000 if form.text("timeout") else QUERY_S
            work = question(form, self._surface)
            async with self._threads.place() as place:
                return await _send(request, await place.run(work, seconds, lambda: _is_gone(request)))
        except BadParameter as error:
            return _refusal("bad_data", str(error))
        except (EvaluationError, TooLarge) as error:
            return _refusal("execution", str(error))
        except GaveUp as error:
            return _refusal("timeout", str(error))
        except NoPlace as error:
            return _refusal("unavailable", str(error))
        except Gone as error:
            return _refusal("canceled", str(error))  # nobody reads it


async def _send(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
    if len(pieces) == 1:
        return web.Response(body=pieces[0], content_type="application/json")
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = sum(map(len, pieces))
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _refusal(kind: str, words: str) -> web.Response:
    headers = {"Retry-After": "1"} if kind == "unavailable" else {}
    return web.Response(
        body=failure(kind, words), status=_STATUS[kind], content_type="application/json", headers=headers
    )
