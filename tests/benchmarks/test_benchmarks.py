"""The benchmarks run and end with the promised line of JSON; what they measure is not judged here."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import ask, common, crf, serve, step
from benchmarks.common import Ratio, format_result


def run_and_read(main: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    main([*arguments, "--rounds", "1", "--threads", "1"])
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def check(result: dict, name: str) -> None:
    assert result["name"] == name
    assert result["hardware"]["threads"] == 1
    assert set(result) == {"name", "ratios", "hardware", "commit"}
    for ratio in result["ratios"].values():
        assert ratio["value"] > 0
        assert set(ratio) == {"value", "target", "best", "met"}


def test_crf(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crf, "SHAPES", ((2, 5, 3),))

    result = run_and_read(crf.main, capsys)

    check(result, "crf")
    assert [ratio["target"] for ratio in result["ratios"].values()] == [3.0, 5.0]


def test_step(
    capsys: pytest.CaptureFixture[str], encoder: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    result = run_and_read(step.main, capsys, "--encoder", str(encoder), "--batch", "2")
    check(result, "step")


def test_ask(capfd: pytest.CaptureFixture[str]) -> None:
    ask.main(["--requests", "20", "--many", "30", "--latency", "0.01", "--slots", "4"])

    output = capfd.readouterr().out.splitlines()
    result = json.loads(output[-1])
    assert set(result) == {"name", "ratios", "hardware", "commit"}
    assert all(ratio["value"] > 0 for ratio in result["ratios"].values())
    assert [line.split()[0] for line in output[:-1]] == ["ours", "ours", "bare", "ours", "ours", "ours"]


def test_a_target_is_met_on_its_good_side() -> None:
    assert Ratio(3.1, 3.0, "high").met
    assert not Ratio(2.9, 3.0, "high").met
    assert Ratio(1.05, 1.10, "low").met
    assert not Ratio(1.2, 1.10, "low").met


def test_in_turns_gives_the_peers_time_over_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(common.time, "perf_counter", lambda: next(clock))

    pair = common.time_in_turns(lambda: None, lambda: [next(clock) for _ in range(2)], 5)

    assert pair.ratio == 3


def test_outside_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "ROOT", tmp_path)

    assert json.loads(format_result("x", {}))["commit"] == ""


@pytest.mark.slow
def test_serve(
    capsys: pytest.CaptureFixture[str], encoder: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "CLIENTS", (1, 32))

    serve.main([str(root / "sample"), "--encoder", str(encoder), "--seconds", "0.5", "--parts", "torch", "onnx"])

    output = capsys.readouterr().out.splitlines()
    assert any(line.split()[:3] == ["torch", "32", "clients"] for line in output)
    result = json.loads(output[-1])
    assert set(result) == {"name", "ratios", "hardware", "commit"}
    assert {"torch_32_clients_over_bulk", "torch_p50_over_single"} <= set(result["ratios"])
