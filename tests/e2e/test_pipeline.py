"""The three doors on one clean checkout: what `dvc repro` makes, that the flow agrees, and that the student answers."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cotpd.cli.params_editor import write_values
from cotpd.evaluation.results_table import ROWS
from tests.builders import read_jsonl

Run = Callable[..., str]

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("reproduced")]


def list_executed(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def test_every_step_ran_and_every_answer_came_from_the_recorded_ledger(reproduced: str) -> None:
    assert list_executed(reproduced)[-1] == "register"
    assert len(list_executed(reproduced)) == 12
    counts = re.search(
        r"ask: (\d+) requests: (\d+) answered from the ledger, (\d+) asked, (\d+) failed", reproduced
    )
    assert counts, reproduced
    requests, from_ledger, newly, failed = map(int, counts.groups())
    assert requests == from_ledger > 0
    assert newly == failed == 0


def test_only_training_posts_are_augmented_and_no_text_of_valid_or_test_is_trained_on(checkout: Path) -> None:
    train = {row["id"]: row for row in read_jsonl(checkout / "data/prepared/train.jsonl")}
    prepared = checkout / "data/prepared"
    held_out = {
        row["text"] for row in (*read_jsonl(prepared / "valid.jsonl"), *read_jsonl(prepared / "test.jsonl"))
    }

    augmented = read_jsonl(checkout / "data/augmented/augmented.jsonl")

    assert {row["kind"] for row in augmented} == {"style", "entity", "image"}
    assert {row["of"] for row in augmented} <= set(train)
    assert not {row["post"]["text"] for row in augmented} & held_out


def test_the_three_rows_are_scored_on_both_splits(checkout: Path) -> None:
    metrics = json.loads((checkout / "reports/metrics.json").read_text("utf-8"))

    for split in ("valid", "test"):
        assert {"baseline", "student", "knowledge"} <= set(metrics[split])
        assert all(0 <= metrics[split][row]["f1"] <= 1 for row in ("baseline", "student", "knowledge"))


def test_a_second_run_does_nothing_through_either_door(run: Run) -> None:
    assert "up to date" in run("dvc", "status")
    assert list_executed(run("dvc", "repro")) == []


def test_the_registered_student_answers_with_spans_that_stand_in_the_text(run: Run) -> None:
    text = "Eileen Collins waves from Kennedy Space Center"

    answer = json.loads(run("cotpd", "predict", "--json", text).splitlines()[-1])

    assert all(text[e["start"] : e["end"]] == e["text"] for e in answer["entities"])


def test_a_changed_prompt_asks_the_model_and_says_how_to_start_one(run: Run, checkout: Path) -> None:
    prompt = checkout / "cotpd/prompts/default/noun.txt"
    before = prompt.read_text("utf-8")
    prompt.write_text(before.rstrip() + "\nAnswer as a pirate.\n", "utf-8")

    try:
        output = run("dvc", "repro", "ask", ok=False)
    finally:
        prompt.write_text(before, "utf-8")

    assert "cotpd llm serve" in output
    assert "Traceback" not in output


def test_a_misspelt_parameter_stops_before_anything_runs(run: Run, checkout: Path) -> None:
    before = (checkout / "params.yaml").read_text("utf-8")
    (checkout / "params.yaml").write_text(before.replace("caption:", "captoin:"), "utf-8")

    try:
        output = run("python", "-m", "steps.caption", ok=False)
    finally:
        (checkout / "params.yaml").write_text(before, "utf-8")

    assert "did you mean caption?" in output
    assert "Traceback" not in output


def test_a_changed_parameter_re_runs_its_dependants_alone(run: Run, checkout: Path) -> None:
    write_values(checkout / "params.yaml", {"register": {"alias": "candidate"}})

    assert list_executed(run("dvc", "repro")) == ["register"]


def test_parameters_that_go_back_bring_their_version_back(run: Run, checkout: Path) -> None:
    registered = checkout / "reports/registered.json"

    def register_with(epochs: int) -> int:
        write_values(checkout / "params.yaml", {"baseline": {"epochs": epochs}})
        run("dvc", "repro")
        return json.loads(registered.read_text("utf-8"))["version"]

    first = register_with(1)
    second = register_with(2)

    assert second > first
    assert register_with(1) == first
    shown = run("cotpd", "show")
    assert f"models:/cotpd-ner@candidate (version {first})" in shown
    assert f"candidate is version {first}" in shown


def test_dvc_shows_few_metrics_and_draws_curves_and_scores(run: Run, reproduced: str) -> None:
    plots = run("dvc", "plots", "show", "--json")

    assert '"learning curves"' in plots
    assert '"F1 per type"' in plots
    assert run("dvc", "metrics", "show", "--json").count('"f1":') == 16
    assert "is empty" not in reproduced


def test_the_page_dvc_and_mlflow_show_the_same_figures(run: Run, checkout: Path) -> None:
    page = (checkout / "reports/evaluation/report.html").read_text("utf-8")
    version = json.loads((checkout / "reports/registered.json").read_text("utf-8"))["version"]
    script = (
        "import json, mlflow; client = mlflow.MlflowClient('sqlite:///mlflow.db');"
        f"run = client.get_model_version('cotpd-ner', '{version}').run_id;"
        "print(json.dumps(client.get_run(run).data.metrics))"
    )

    shown = json.loads(run("dvc", "metrics", "show", "--json").splitlines()[-1])
    logged = json.loads(run("python", "-c", script).splitlines()[-1])

    figures = shown[""]["data"]["reports/metrics.json"]["data"]
    assert logged == {f"{split}.{row}.f1": f1 for split, row, f1 in iterate_headlines(figures)}
    for _, row, f1 in iterate_headlines(figures):
        sign = "+" if row.endswith("gain") else ""
        assert f">{100 * f1:{sign}.2f}<" in page, row


def iterate_headlines(figures: dict[str, dict[str, dict[str, float]]]) -> Iterator[tuple[str, str, float]]:
    """Yield split, row and F1 of each figure that `dvc metrics diff` compares."""
    for split, rows in figures.items():
        for row, scores in rows.items():
            yield split, row, scores["f1"]


def test_the_page_draws_the_figures_that_dvc_plots_draws(run: Run, checkout: Path) -> None:
    page = (checkout / "reports/evaluation/report.html").read_text("utf-8")
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)

    plots = json.loads(run("dvc", "plots", "show", "--json").splitlines()[-1])["data"]

    drawn = {figure["id"]: figure for figure in json.loads(data)["figures"]}
    bars = list(iterate_bars(drawn))
    assert bars
    by_type = {
        (row["split"], row["row"], row["type"]): float(row["f1"]) for row in read_values(plots, "F1 per type")
    }
    for key, percent in bars:
        assert percent == pytest.approx(100 * by_type[key], abs=0.006), key
    losses = [row for row in read_values(plots, "learning curves") if row["measure"] == "loss"]
    points = {}
    for line in drawn["loss"]["series"]:
        points |= {(line["name"], epoch): value for epoch, value in line["points"]}
    for row in losses:
        assert points[f"{row['model']}: loss", float(row["epoch"])] == float(row["value"])


def read_values(plots: dict[str, Any], name: str) -> list[dict[str, str]]:
    """Return the rows that DVC draws a plot from."""
    return plots[name][0]["content"]["data"]["values"]


def iterate_bars(figures: dict[str, Any]) -> Iterator[tuple[tuple[str, str, str], float]]:
    """Yield split, row and type of each bar on the page, and its percentage; the bars of all types are left out."""
    row_of = {title: name for name, title in ROWS.items()}
    for split in ("valid", "test"):
        figure = figures[f"types-{split}"]
        for series in figure["series"]:
            for kind, bar in list(zip(figure["groups"], series["bars"], strict=True))[1:]:
                yield (split, row_of[series["name"]], kind), bar[0]


def test_frozen_teachers_teach_on_posts_without_labels(run: Run, checkout: Path) -> None:
    """The sample's posts beyond the limit stand for unlabelled ones: their answers are recorded too."""
    before = (checkout / "params.yaml").read_text("utf-8")
    unlabelled = [{"path": ".", "limit": 50}]
    frozen = {
        "distil": {"way": "frozen", "start": "teacher"},
        "student": {"prompt_length": 0},
        "teach": {"epochs": 1, "others": [{"encoder": "all-MiniLM-L6-v2", "learning_rate": 5e-5}]},
    }
    write_values(checkout / "params.yaml", {"data": {"unlabelled": unlabelled}, **frozen})
    try:
        output = run("dvc", "repro", "evaluate")
        assert {"teach", "train", "evaluate"} <= set(list_executed(output))
        taught = json.loads((checkout / "data/targets/targets.json").read_text("utf-8"))["examples"]
        extra = {row["id"] for row in read_jsonl(checkout / "data/prepared/unlabelled.jsonl")}
        assert len(extra) == 30  # the ten after the limit in each split
        assert extra < set(taught)
        assert json.loads((checkout / "models/student/student.json").read_text("utf-8"))["views"] == ["text"]
        metrics = json.loads((checkout / "reports/metrics.json").read_text("utf-8"))
        assert {"baseline", "student", "knowledge"} <= set(metrics["test"])
        weights = (checkout / "models/teachers/0/model.safetensors").stat()
        write_values(checkout / "params.yaml", {"distil": {"temperature": 2.0}, "teach": {"others": []}})
        assert list_executed(run("dvc", "repro", "train")) == ["teach", "train"]
        assert (checkout / "models/teachers/0/model.safetensors").stat().st_mtime_ns == weights.st_mtime_ns
    finally:
        (checkout / "params.yaml").write_text(before, "utf-8")
    run("dvc", "repro")


def test_the_same_pipeline_learns_relations(run: Run, checkout: Path) -> None:
    # the recorded fact checks are of entity swaps among the posts of the other task, so none are asked here
    write_values(checkout / "params.yaml", {"task": "re", "augment": {"kinds": ["style", "image"]}})
    key = f"sk-{secrets.token_hex(16)}"

    output = run("dvc", "repro", key=key)

    assert list_executed(output)[-1] == "register"
    files = [path for path in checkout.rglob("*") if path.is_file()]
    assert {"mlflow.db", "ledger.db", "dvc.lock"} <= {path.name for path in files}
    assert key not in output
    assert not [path for path in files if key.encode() in path.read_bytes()]
    metrics = json.loads((checkout / "reports/metrics.json").read_text("utf-8"))
    assert {"baseline", "student", "knowledge"} <= set(metrics["test"])
    answer = json.loads(
        run(
            "cotpd", "predict", "--json", "--head", "Collins", "--tail", "NASA",
            "--model", "models:/cotpd-re/1", "Collins leaves NASA after 16 years",
        ).splitlines()[-1]
    )  # fmt: skip
    assert answer["label"].startswith(("/", "None"))
    assert 0 <= answer["score"] <= 1
