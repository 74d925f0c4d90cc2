"""Several seeds as one result: against brute force, and what cannot be compared."""

import itertools
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cotpd.cli import compare as command
from cotpd.data.tables import write_table
from cotpd.errors import DataError
from cotpd.evaluation.multi_seed import compare_seeds, read_runs
from cotpd.evaluation.results_table import group_predictions
from cotpd.evaluation.scores import score
from cotpd.student.tasks import RePrediction

# Relations of three posts, the last with two pairs: right (1) or wrong (0), by seed.
KEYS = ("a#0", "b#0", "c#0", "c#1")
RIGHT = {
    "baseline": [(1, 0, 1, 0), (0, 0, 1, 0), (1, 1, 0, 0)],
    "student": [(1, 0, 0, 1), (0, 1, 1, 1), (1, 0, 1, 0)],
    "knowledge": [(1, 1, 1, 1), (1, 1, 1, 0), (1, 1, 1, 1)],
}


def make_rows(model, right, split="test", keys=KEYS):
    return [
        RePrediction(id=key, split=split, model=model, gold=["r"], predicted=["r" if is_right else "s", 0.9])
        for key, is_right in zip(keys, right, strict=True)
    ]


def make_runs(models=("baseline", "student", "knowledge")):
    return [
        group_predictions(row for model in models for row in make_rows(model, RIGHT[model][seed]))
        for seed in range(3)
    ]


def compute_mean_f1(model, keys):
    """The mean over the seeds of the F1 over some drawn posts, the plain way."""
    scores = []
    for right in RIGHT[model]:
        by_key = {row.id: row for row in make_rows(model, right)}
        scores.append(score([by_key[key] for key in keys], "re").f1)
    return np.mean(scores)


def test_interval_and_p_value_are_those_of_all_possible_resamples():
    posts = {"a": ["a#0"], "b": ["b#0"], "c": ["c#0", "c#1"]}
    every = []
    for drawn in itertools.product(posts, repeat=3):  # all 27, each as likely as the others
        keys = [key for post in drawn for key in posts[post]]
        every.append(compute_mean_f1("student", keys) - compute_mean_f1("baseline", keys))
    observed = compute_mean_f1("student", KEYS) - compute_mean_f1("baseline", KEYS)
    exact = np.mean(np.abs(np.array(every) - observed) >= abs(observed) - 1e-12)
    assert 0.05 < exact < 0.95  # else the test says nothing
    comparison = compare_seeds(make_runs(), seed=1, resamples=20_000)["test"]
    assert comparison.p_value == pytest.approx(exact, abs=0.01)
    assert comparison.low == pytest.approx(min(every))  # with 27 outcomes the percentiles are the extremes
    assert comparison.high == pytest.approx(max(every))


def test_means_deviations_and_the_share_recovered_are_those_of_the_single_scores():
    comparison = compare_seeds(make_runs(), seed=1, resamples=100)["test"]
    single = {name: [score(make_rows(name, right), "re").f1 for right in seeds] for name, seeds in RIGHT.items()}
    assert {name: spread.each for name, spread in comparison.rows.items()} == {
        k: pytest.approx(v) for k, v in single.items()
    }
    gains = np.subtract(single["student"], single["baseline"])
    assert comparison.gain.each == pytest.approx(gains.tolist())
    assert comparison.gain.deviation == pytest.approx(gains.std(ddof=1))
    possible = np.mean(single["knowledge"]) - np.mean(single["baseline"])
    assert comparison.recovered == pytest.approx(gains.mean() / possible)


def test_a_model_that_all_runs_share_has_no_deviation(tmp_path):
    for seed, run in enumerate(make_runs()):
        rows = run["test"]["student"] + run["test"]["baseline"] + make_runs()[0]["test"]["knowledge"]
        write_table(tmp_path / str(seed) / "predictions.jsonl", rows)
    comparison = compare_seeds(read_runs([tmp_path / str(seed) for seed in range(3)]), seed=1, resamples=100)[
        "test"
    ]
    assert comparison.rows["knowledge"].deviation is None
    assert [cells[2:4] for cells in command._list_rows({"test": comparison}) if cells[1] == "knowledge view"] == [
        ["100.00", "the same"]
    ]


def test_models_that_happen_to_score_alike_are_not_one():
    twins = [group_predictions(make_rows("student", right)) for right in ((1, 0, 0, 0), (0, 1, 0, 0))]
    assert compare_seeds(twins, seed=1)["test"].rows["student"].deviation == 0.0


def test_the_same_seed_gives_the_same_figures():
    assert compare_seeds(make_runs(), seed=1, resamples=500) == compare_seeds(make_runs(), seed=1, resamples=500)


def test_what_cannot_be_said_is_left_out():
    alone = compare_seeds(make_runs(("student",))[:1], seed=1)["test"]
    assert alone.gain is alone.p_value is alone.recovered is alone.rows["student"].deviation is None
    assert compare_seeds(make_runs(("baseline", "student")), seed=1, resamples=100)["test"].recovered is None


def test_runs_are_found_in_an_evaluation_folder_a_checkout_and_a_file(tmp_path):
    for seed, folder in enumerate(("one", "two/reports/evaluation", "three/evaluation")):
        write_table(tmp_path / folder / "predictions.jsonl", make_rows("student", RIGHT["student"][seed]))
    assert len(read_runs([tmp_path / "one", tmp_path / "two", tmp_path / "three"])) == 3
    assert len(read_runs([tmp_path / "one" / "predictions.jsonl"])) == 1


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (None, "no predictions.jsonl there"),
        ([], "no predictions in it"),
        (make_rows("student", RIGHT["student"][0]), "very same predictions as .*one"),
        (make_rows("student", (1, 1, 1), keys=KEYS[:3]), "do not hold the same test examples"),
        (make_rows("student", (1, 1, 1, 1), keys=KEYS[::-1]), "do not hold the same test examples"),
    ],
)
def test_runs_that_cannot_be_compared_are_named(tmp_path, second, message):
    write_table(tmp_path / "one" / "predictions.jsonl", make_rows("student", RIGHT["student"][0]))
    if second is not None:
        write_table(tmp_path / "two" / "predictions.jsonl", second)
    with pytest.raises(DataError, match=message) as raised:
        read_runs([tmp_path / "one", tmp_path / "two"])
    assert "two" in str(raised.value)


def test_runs_without_a_common_split_are_refused():
    valid_run = group_predictions(make_rows("student", (1, 1, 1, 1), split="valid"))
    with pytest.raises(DataError, match="no split in common"):
        compare_seeds([make_runs()[0], valid_run], seed=1)


@pytest.fixture
def folders(tmp_path):
    for seed, run in enumerate(make_runs()):
        write_table(
            tmp_path / str(seed) / "predictions.jsonl",
            [row for predictions in run["test"].values() for row in predictions],
        )
    return [str(tmp_path / str(seed)) for seed in range(3)]


def call(*arguments):
    app = typer.Typer()
    app.command()(command.compare)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).stdout


def test_the_command_prints_a_table_markdown_or_json(folders):
    comparison = json.loads(call(*folders, "--json"))["test"]
    assert comparison["rows"]["student"]["mean"] == pytest.approx(compute_mean_f1("student", KEYS))
    mean, gain = (f"{100 * comparison['rows']['student']['mean']:.2f}", f"{100 * comparison['gain']['mean']:+.2f}")
    for lines in (call(*folders).splitlines(), call(*folders, "--markdown").splitlines()):
        [line] = [line for line in lines if "student" in line]
        assert mean in line
        assert gain in line
