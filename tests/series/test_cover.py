"""From when on what is kept of a metric is complete."""

from __future__ import annotations

from agent.series.cover import Cover


def test_what_is_wanted_anew_or_for_longer_begins_where_nothing_of_it_went() -> None:
    """At the newest sample, or where its former window began; the others have all that they had."""
    cover = Cover(1_000, {"as before": 100, "longer": 100, "gone": 100})
    cover.first_at = 500

    cover.want({"as before": 100, "longer": 300, "new": 50, "always": 5_000}, newest=2_000)
    assert cover.later == {"longer": 1_900, "new": 2_000, "always": 2_000}

    cover.want({"longer": 200, "always": 9_000}, newest=2_500)
    assert cover.later == {"longer": 1_900, "always": 2_000}
    assert cover.window("always") == 1_000  # no more than all are kept


def test_before_the_first_sample_nothing_is_lacking() -> None:
    cover = Cover(1_000, {"x": 100})
    cover.want({"x": 1_000, "y": 100}, newest=0)
    cover.begin_anew(["x"], newest=0)
    assert cover.later == {}


def test_a_metric_of_which_a_series_was_dropped_is_incomplete_for_its_window() -> None:
    cover = Cover(1_000, {"x": 100})
    cover.drop("x", newest=500)
    assert cover.incomplete(newest=600) == {"x"}
    assert cover.incomplete(newest=601) == frozenset()
