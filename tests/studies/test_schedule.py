"""The schedule of a study: cells that cannot run are left out, and a study that cannot run at all is refused."""

import json

import pytest
from typer.testing import CliRunner

from cotpd.cli.study import app
from cotpd.errors import ConfigError, DataError
from cotpd.pipeline.workspace import Workspace
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.schedule import make_schedule, select_part
from cotpd.studies.study import read_study
from tests.builders import build_posts, write_prepared_tables


@pytest.mark.parametrize(
    ("remove", "cell", "reason"),
    [
        ("prepared/unlabelled", {"data": {"unlabelled": 0.5}}, "no unlabelled posts: set data.unlabelled"),
        ("validated/knowledge", {"data": {"kinds": ["noun"]}}, "no knowledge: set ask.kinds"),
        ("validated/knowledge", {"data": {"knowledge": "shuffled"}}, "no knowledge: set ask.kinds"),
        ("validated/captions", {"data": {"kinds": []}}, "no captions: set caption.backend"),
        ("validated/captions", {"reads": "caption"}, "no post of test has a caption"),
        ("augmented/augmented", {"data": {"augmented": ["style"]}}, "no augmented posts of the kind style"),
    ],
)
def test_a_cell_that_needs_what_is_not_there_is_left_out_and_the_others_are_not(
    plan, project, remove, cell, reason
):
    (project / f"data/{remove}.jsonl").write_text("")

    schedule = plan({"name": "a", "model": "baseline"}, {"name": "b", **cell})

    assert reason in schedule.left_out["b"]
    assert list(schedule.goals) == ["a"]


def test_without_a_test_split_the_study_is_refused_and_told_of_the_other_split(plan, project, params, write_study):
    posts = build_posts(12)
    Workspace(project).locate_posts("test").unlink()
    write_prepared_tables(project, {"train": posts[:8], "valid": posts[8:]})
    cell = {"name": "a", "model": "baseline"}

    with pytest.raises(
        DataError, match=r"data set 'here' has no test split \(it has train, valid\): --split valid"
    ):
        plan(cell)

    named = select_part(read_study(write_study(cells=[cell]), params), split="valid")
    assert make_schedule(named, ResultsCache(project / "cache")).goals


def test_without_posts_to_be_tested_on_no_other_split_is_proposed(plan, project):
    for split in ("test", "unlabelled"):
        Workspace(project).locate_posts(split).unlink()
    write_prepared_tables(project, {"train": build_posts(1)})

    with pytest.raises(DataError, match=r"it has train\): put some of its posts aside"):
        plan({"name": "a", "model": "baseline"})


@pytest.mark.parametrize("count", [1, 2])
def test_a_data_set_of_one_or_two_posts_is_planned_and_what_it_cannot_fill_is_left_out(plan, project, count):
    for split in ("test", "unlabelled"):
        Workspace(project).locate_posts(split).unlink()
    posts = build_posts(count + 1)
    write_prepared_tables(project, {"train": posts[:count], "test": posts[count:]})
    cells = [
        {"name": "text", "model": "baseline"},
        {"name": "folds", "params": {"teach.folds": 5}},
        {"name": "across", "train_on": "second", "test_on": "first"},
        {"name": "few", "data": {"labels": 0.01}},
    ]
    topics = {"here": {}, "first": {"topics": "first"}, "second": {"topics": "second"}}

    schedule = plan(*cells, data_sets=topics)

    assert {"text", "few"} <= schedule.goals.keys()
    assert "teach.folds: 5 folds" in schedule.left_out["folds"]
    assert "across" in schedule.left_out


@pytest.mark.parametrize("seeds", [[-1], [2**63]])
def test_a_seed_that_no_training_takes_is_refused_on_the_command_line_too(params, write_study, seeds):
    named = read_study(write_study(cells=[{"name": "a"}]), params)

    with pytest.raises(ConfigError, match=r"seeds: Input should be .*\n.*whole numbers from 0"):
        select_part(named, seeds=seeds)


def test_a_study_whose_cells_take_no_answers_from_elsewhere_has_nothing_to_ask(project, write_study):
    outcome = CliRunner().invoke(app, ["ask", write_study(cells=[{"name": "a"}])])

    assert outcome.exit_code == 0
    assert "nothing to ask: no cell of mine takes its answers from elsewhere" in outcome.stdout


@pytest.mark.parametrize(("options", "command"), [([], "mine.yaml"), (["--quick"], "mine.yaml --quick")])
def test_a_study_that_is_shown_before_it_ran_says_how_to_run_it(project, write_study, options, command):
    write_study(cells=[{"name": "a"}])

    outcome = CliRunner().invoke(app, ["show", "mine.yaml", *options])

    assert str(outcome.exception).endswith(f"Run it: cotpd study run {command}")


def test_without_prepared_tables_the_study_says_what_to_run(tmp_path, monkeypatch, params, write_study):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DataError, match=r"prepared no posts there\n.*dvc repro"):
        make_schedule(read_study(write_study(cells=[{"name": "a"}]), params), ResultsCache(tmp_path / "cache"))


def test_a_study_is_narrowed_to_some_cells_and_seeds(params, write_study):
    cells = [{"name": "a", "data": {"kinds": []}}, {"name": "b"}]
    named = read_study(write_study(cells=cells), params)

    narrowed = select_part(named, seeds=[5, 6, 5], cells=["a"])

    assert narrowed.study.seeds == (5, 6)
    assert [cell.name for cell in narrowed.study.cells] == ["a"]
    assert narrowed.study.cells[0].data.model_fields_set == {"kinds"}
    with pytest.raises(ConfigError, match=r"no cell 'bb'; did you mean b\?"):
        select_part(named, cells=["bb"])


@pytest.mark.parametrize(
    ("model", "price"), [("of-no-price", "no price is known for of-no-price"), ("gpt-4o-mini", "$0.")]
)
def test_the_plan_counts_the_questions_that_no_answer_is_there_for_and_names_their_price(
    project, root, model, price
):
    values = json.loads((project / "params.yaml").read_text("utf-8"))
    values |= {
        "data": {"path": str(root / "sample")},
        "llm": {"model": model, "base_url": "https://llm.example/v1"},
    }
    (project / "params.yaml").write_text(json.dumps(values), "utf-8")

    outcome = CliRunner().invoke(app, ["plan", "knowledge"])

    assert outcome.exit_code == 0
    [line] = [line for line in outcome.stdout.splitlines() if line.startswith("questions ")]
    assert "are not in the ledger" in line
    assert price in line
    assert "jobs      " in outcome.stdout
    assert not (project / "studies").exists()
