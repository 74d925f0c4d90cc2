"""The benchmark of the engines on a few rows, in this process and in one of its own; Ray's own side is in tests/engine."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import engine
from cotpd.engine.params import ScaleParams

LOCAL = ScaleParams()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory is read where Linux shows it")
@pytest.mark.parametrize("work", ["items", "rows"])
def test_every_row_comes_back(work: str) -> None:
    figures = engine.measure(argparse.Namespace(work=work, rows=1201), LOCAL)

    assert figures["seconds"] > 0
    assert (figures["megabytes"] > 0) is (work == "rows")


def test_chunks_hold_all_rows_in_order() -> None:
    chunks = list(engine.build_chunks(1001))

    assert [len(chunk) for chunk in chunks] == [500, 500, 1]
    assert chunks[2][0].startswith("1000 ")


def test_a_piece_of_work_is_measured_in_a_process_of_its_own() -> None:
    figures = engine.run_apart("items", "local", "auto", rows=50)

    assert set(figures) == {"seconds", "megabytes"}


def test_the_last_line_judges_each_figure(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    seconds = {"local": 2.0, "ray": 2.2, "local items": 0.1, "ray items": 6.1}
    monkeypatch.setattr(engine, "write_files", lambda *_: None)
    monkeypatch.setattr(engine, "run_round", lambda *_: seconds)
    monkeypatch.setattr(engine, "run_apart", lambda *_, rows: {"megabytes": 100 + rows / 1000})

    ratios = engine.compare(argparse.Namespace(rounds=2, rows=1000), "auto", tmp_path)

    assert {name: round(ratio.value, 3) for name, ratio in ratios.items()} == {
        "scoring": 1.1,
        "overhead_s": 6.0,
        "growth_mb": 2.0,
    }
    assert json.loads(engine.format_result("engine", ratios))["ratios"]["scoring"]["met"]
