"""The operators' page shows every route that is served; commands are checked on all pages by test_pages."""

from __future__ import annotations

from pathlib import Path

from fake_surface import FakeSurface

from agent.web.prometheus import Prometheus
from agent.web.query_threads import QueryThreads
from agent.web.routes import Ordering, Reading

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


def test_every_route_is_on_the_page() -> None:
    surface, threads = FakeSurface(), QueryThreads()
    reads = [*Reading(surface, threads.metrics).routes(), *Prometheus(surface, threads).routes()]
    threads.close()
    routes = [*reads, *Ordering(surface).routes()]
    assert [r.path for r in routes if f"`{r.path}" not in PAGE] == []
