"""The simulation behind the sizing table, beside a measured run of the asking."""

from dataclasses import replace

import pytest

from benchmarks import sizing
from benchmarks.sizing import Assumptions, compare, estimate_asking, estimate_size, format_table
from tests.pages import ROOT


def test_requests_of_one_length_fill_the_slots_in_rounds():
    inputs = Assumptions(latency=2.0, spread=0.0, in_flight=4)

    assert estimate_asking(8, inputs) == pytest.approx(4.0)
    assert estimate_asking(9, inputs) == pytest.approx(6.0)
    assert estimate_asking(0, inputs) == 0.0


def test_more_requests_than_are_simulated_take_proportionally_longer(monkeypatch):
    monkeypatch.setattr(sizing, "_SIMULATED", 1000)

    assert estimate_asking(5000, Assumptions()) == pytest.approx(5 * estimate_asking(1000, Assumptions()))


def test_posts_that_are_only_labelled_cost_no_request():
    small = estimate_size(1000, 1000, Assumptions())
    large = estimate_size(100_000, 1000, Assumptions())

    assert (small.requests, small.dollars) == (large.requests, large.dollars)
    assert large.gpu_hours > small.gpu_hours


def test_the_table_of_the_page_is_the_simulations():
    page = (ROOT / "docs/scale.md").read_text("utf-8")

    assert format_table(Assumptions()) in page


@pytest.mark.slow
def test_the_asking_takes_what_the_simulation_says():
    """Counts are exact, bytes within a fifth; a busy machine may be slower than the simulation, and never faster."""
    inputs = replace(Assumptions(), latency=0.1, in_flight=16)

    expected, measured = compare(400, inputs)

    assert (measured.requests, measured.tokens) == (expected.requests, expected.tokens)
    assert measured.ledger_bytes == pytest.approx(expected.ledger_bytes, rel=0.2)
    assert measured.seconds > 0.8 * expected.seconds


def test_the_command_prints_the_table(capsys):
    sizing.main([])

    assert capsys.readouterr().out == f"{format_table(Assumptions())}\n"


def test_the_command_compares_a_measured_run_with_the_simulation(capsys):
    sizing.main(["--measure", "5", "--latency", "0.01"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["requests", "tokens", "ledger_bytes", "seconds"]
    assert "15 simulated," in lines[0]
    assert "15 measured, 1.000 of it" in lines[0]
