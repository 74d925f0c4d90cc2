"""The benchmark of both doors on graphs of two stages: its projects are up to date, and its line is the promised one."""

import json
from pathlib import Path

import pytest

from benchmarks import doors
from benchmarks.doors import Cost

STAGES = {
    "first": {"deps": ["a", "b"], "outs": ["c"]},
    "second": {"deps": ["c"], "outs": [{"d": {"persist": True}}]},
}
CALLS = (
    "dvc repro, the pipeline's graph",
    "dvc repro, as many stages that do nothing",
    "flow run with nothing to do",
    "import prefect and DVC",
    "cotpd --help",
)


@pytest.mark.slow
def test_the_graph_to_compare_with_is_as_large_and_has_nothing_to_do(tmp_path: Path) -> None:
    plain = tmp_path / "plain"

    doors.write_plain_graph(plain, STAGES)

    assert len(list(plain.glob("in-*"))) == 3
    assert len(list(plain.glob("out-*"))) == 2
    assert "up to date" in doors.run([*doors.DVC, "status"], plain)


@pytest.mark.slow
def test_a_step_is_timed_under_the_guard_of_the_flow(tmp_path: Path) -> None:
    doors.write_one_stage(tmp_path / "single")

    assert doors.time_step(tmp_path / "single") > 0


def test_the_least_of_several_rounds_counts_after_one_that_warms_up() -> None:
    calls: list[str] = []

    costs = doors.measure_in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)

    assert "".join(calls) == "ababab"
    assert set(costs) == {"a", "b"}


def test_a_program_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        doors.run(["sh", "-c", "echo no such thing >&2; exit 3"], tmp_path)


def test_the_last_line_judges_each_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {name: Cost(2.0, 1.0) for name in CALLS}
    monkeypatch.setattr(doors, "measure_doors", lambda *_: (costs, 120.0))

    doors.main(["--rounds", "1"])

    *table, line = capsys.readouterr().out.splitlines()
    ratios = json.loads(line)["ratios"]
    assert "| what the flow adds to a step | 0.120 | |" in table
    assert ratios["dvc_repro_seconds_over_floor"]["value"] == 0
    assert ratios["step_added_ms"]["met"]
    assert not ratios["help_seconds"]["met"]
