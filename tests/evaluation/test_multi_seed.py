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
from cotpd.evaluation.multi_seed import compare_seeds, name_score, read_runs
from cotpd.evaluation.results_table import WORTH, compute_metrics, group_predictions
from cotpd.evaluation.scores import score
from cotpd.evaluation.significance import RESAMPLES, SEED
from cotpd.student.tasks import ClassPrediction, RePrediction
from cotpd.studies.differences import compare_cells

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
    runs = []
    for seed in range(3):
        rows = [make_rows(model, RIGHT[model][seed]) for model in models]
        runs.append(group_predictions(itertools.chain.from_iterable(rows)))
    return runs


def compute_mean_f1(model, keys):
    """The mean over the seeds of the F1 over some drawn posts, the plain way."""
    scores = []
    for right in RIGHT[model]:
        by_key = {row.id: row for row in make_rows(model, right)}
        scores.append(score([by_key[key] for key in keys], "re").f1)
    return np.mean(scores)


def test_a_single_run_has_the_figures_of_its_own_results_table():
    rows = [make_rows(model, RIGHT[model][0]) for model in ("baseline", "student")]
    run = group_predictions(itertools.chain.from_iterable(rows))

    alone = compute_metrics(itertools.chain.from_iterable(rows), "re")["test"]["gain"]
    compared = compare_seeds([run], seed=SEED, resamples=RESAMPLES)["test"].gain

    figures = (compared.low, compared.high, compared.p_value, compared.p_randomised)
    assert tuple(alone[key] for key in ("low", "high", "p_value", "p_randomised")) == pytest.approx(
        figures, abs=1e-6
    )


def test_interval_and_p_value_are_those_of_all_possible_resamples():
    posts = {"a": ["a#0"], "b": ["b#0"], "c": ["c#0", "c#1"]}
    every = []
    for drawn in itertools.product(posts, repeat=3):  # all 27, each as likely as the others
        keys = list(itertools.chain.from_iterable(posts[post] for post in drawn))
        every.append(compute_mean_f1("student", keys) - compute_mean_f1("baseline", keys))

    observed = compute_mean_f1("student", KEYS) - compute_mean_f1("baseline", KEYS)

    exact = np.mean(np.abs(np.array(every) - observed) >= abs(observed) - 1e-12)
    assert 0.05 < exact < 0.95  # else the test says nothing

    comparison = compare_seeds(make_runs(), seed=1, resamples=20_000)["test"]

    assert comparison.gain.p_value == pytest.approx(exact, abs=0.01)
    assert comparison.gain.low == pytest.approx(min(every))  # with 27 outcomes the percentiles are the extremes
    assert comparison.gain.high == pytest.approx(max(every))


def test_the_cross_check_and_the_second_interval_are_those_of_a_study():
    runs = make_runs()
    tables = {}
    for name in ("student", "baseline"):
        tables[name] = {seed: run["test"][name] for seed, run in enumerate(runs)}

    comparison = compare_seeds(runs, seed=1, resamples=500)["test"]

    tested = compare_cells(tables["student"], tables["baseline"], seed=1, resamples=500)
    assert comparison.gain.p_randomised == tested.p_randomised
    assert comparison.gain.over_seeds == (tested.low, tested.high)
    cells = dict(zip(command.HEADINGS, command._list_rows({"test": comparison})[1], strict=True))
    assert cells["p, randomised"] == f"{tested.p_randomised:.4f}"
    assert cells["95 %, seeds drawn too"] == f"{100 * tested.low:+.2f} to {100 * tested.high:+.2f}"


def test_means_deviations_and_the_share_recovered_are_those_of_the_single_scores():
    single = {}
    for name, seeds in RIGHT.items():
        single[name] = [score(make_rows(name, right), "re").f1 for right in seeds]
    gains = np.subtract(single["student"], single["baseline"])
    possible = np.mean(single["knowledge"]) - np.mean(single["baseline"])

    comparison = compare_seeds(make_runs(), seed=1, resamples=100)["test"]

    for name, spread in comparison.rows.items():
        assert spread.each == pytest.approx(single[name])
    assert comparison.gain.spread.each == pytest.approx(gains.tolist())
    assert comparison.gain.spread.deviation == pytest.approx(gains.std(ddof=1))
    assert comparison.recovered == pytest.approx(gains.mean() / possible)


def test_a_model_that_all_runs_share_has_no_deviation(tmp_path):
    for seed, run in enumerate(make_runs()):
        rows = run["test"]["student"] + run["test"]["baseline"] + make_runs()[0]["test"]["knowledge"]
        write_table(tmp_path / str(seed) / "predictions.jsonl", rows)
    runs = read_runs([tmp_path / str(seed) for seed in range(3)])

    comparison = compare_seeds(runs, seed=1, resamples=100)["test"]

    assert comparison.rows["knowledge"].deviation is None
    [cells] = [cells for cells in command._list_rows({"test": comparison}) if cells[1] == "knowledge view"]
    assert cells[2:4] == ["100.00", "the same"]


def test_models_that_happen_to_score_alike_are_not_one():
    twins = [group_predictions(make_rows("student", right)) for right in ((1, 0, 0, 0), (0, 1, 0, 0))]

    assert compare_seeds(twins, seed=1)["test"].rows["student"].deviation == 0.0


def test_the_same_seed_gives_the_same_figures():
    assert compare_seeds(make_runs(), seed=1, resamples=500) == compare_seeds(make_runs(), seed=1, resamples=500)


def test_one_run_of_the_student_alone_has_neither_gain_nor_deviation():
    comparison = compare_seeds(make_runs(("student",))[:1], seed=1)["test"]

    assert comparison.gain is comparison.recovered is None
    assert comparison.rows["student"].deviation is None


def test_without_the_knowledge_view_no_share_is_recovered():
    comparison = compare_seeds(make_runs(("baseline", "student")), seed=1, resamples=100)["test"]

    assert comparison.recovered is None


@pytest.mark.parametrize("folder", ["run", "run/evaluation", "run/reports/evaluation"])
def test_a_run_is_found_in_an_evaluation_folder_and_in_a_checkout(folder, tmp_path):
    write_table(tmp_path / folder / "predictions.jsonl", make_rows("student", RIGHT["student"][0]))

    [run] = read_runs([tmp_path / "run"])

    assert [row.id for row in run["test"]["student"]] == list(KEYS)


def test_a_run_is_found_in_a_file(tmp_path):
    write_table(tmp_path / "predictions.jsonl", make_rows("student", RIGHT["student"][0]))

    [run] = read_runs([tmp_path / "predictions.jsonl"])

    assert [row.id for row in run["test"]["student"]] == list(KEYS)


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


def test_runs_with_a_control_say_what_the_knowledge_itself_is_worth():
    runs = make_runs()
    for run in runs:  # a control as bad as the baseline, whose gain over it must then be the same
        run["test"]["control"] = [row.model_copy(update={"model": "control"}) for row in run["test"]["baseline"]]

    comparison = compare_seeds(runs, seed=1, resamples=500)["test"]

    assert comparison.gains == {"knowledge_gain": comparison.gain}
    [cells] = [cells for cells in command._list_rows({"test": comparison}) if cells[1] == WORTH]
    assert cells[4] == command._format_spread(comparison.gain.spread, "+")
    assert command._build_json(comparison)["knowledge_gain"]["low"] == comparison.gain.low


@pytest.fixture
def folders(tmp_path):
    for seed, run in enumerate(make_runs()):
        rows = itertools.chain.from_iterable(run["test"].values())
        write_table(tmp_path / str(seed) / "predictions.jsonl", rows)
    return [str(tmp_path / str(seed)) for seed in range(3)]


def call(*arguments):
    app = typer.Typer()
    app.command()(command.compare)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).stdout


def test_the_command_prints_the_figures_as_json(folders):
    comparison = json.loads(call(*folders, "--json"))["test"]

    assert comparison["rows"]["student"]["mean"] == pytest.approx(compute_mean_f1("student", KEYS))


@pytest.mark.parametrize("options", [(), ("--markdown",)])
def test_the_command_prints_mean_and_gain_in_the_students_line(folders, options):
    mean = compute_mean_f1("student", KEYS)
    gain = mean - compute_mean_f1("baseline", KEYS)

    output = call(*folders, *options)

    [line] = [line for line in output.splitlines() if "student" in line]
    assert f"{100 * mean:.2f}" in line
    assert f"{100 * gain:+.2f}" in line


def test_the_score_of_runs_has_the_name_that_their_task_gives_it():
    row = ClassPrediction(
        id="a", split="test", model="student", gold=["glad"], predicted=["glad", 0.9], task="sentiment"
    )

    assert name_score(make_runs()) == "F1"
    assert name_score([{"test": {"student": [row]}}]) == "accuracy"
