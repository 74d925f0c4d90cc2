"""The simulation behind the sizing table, beside a measured run of the asking."""

from dataclasses import replace

import pytest

from benchmarks import sizing
from benchmarks.sizing import Assumptions, compare, format_table, simulate, simulate_asking
from tests.pages import ROOT


def test_requests_of_one_length_fill_the_slots_in_rounds():
    given = Assumptions(latency=2.0, spread=0.0, in_flight=4)

    assert simulate_asking(8, given) == pytest.approx(4.0)
    assert simulate_asking(9, given) == pytest.approx(6.0)
    assert simulate_asking(0, given) == 0.0


def test_more_requests_than_are_simulated_take_proportionally_longer(monkeypatch):
    monkeypatch.setattr(sizing, "_SIMULATED", 1000)

    assert simulate_asking(5000, Assumptions()) == pytest.approx(5 * simulate_asking(1000, Assumptions()))


def test_posts_that_are_only_labelled_cost_no_request():
    few, many = (simulate(posts, 1000, Assumptions()) for posts in (1000, 100_000))

    assert (few.requests, few.dollars) == (many.requests, many.dollars)
    assert many.gpu_hours > few.gpu_hours


def test_the_table_of_the_page_is_the_simulations():
    page = (ROOT / "docs/scale.md").read_text("utf-8")

    assert format_table(Assumptions()) in page


@pytest.mark.slow
def test_the_asking_takes_what_the_simulation_says():
    """Counts are exact, bytes within a fifth; a busy machine may be slower than the simulation, and never faster."""
    given = replace(Assumptions(), latency=0.1, in_flight=16)

    expected, measured = compare(400, given)

    assert (measured.requests, measured.tokens) == (expected.requests, expected.tokens)
    assert measured.ledger_bytes == pytest.approx(expected.ledger_bytes, rel=0.2)
    assert measured.seconds > 0.8 * expected.seconds
