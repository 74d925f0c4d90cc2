"""`cotpd data suspects` and `cotpd data corrections`, from a table of suspects to a corrected data set."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.data import app
from cotpd.data.tables import write_table
from cotpd.errors import ConfigError, DataError
from cotpd.evaluation.gold_errors import Suspect
from cotpd.pipeline.workspace import Workspace
from tests.builders import build_post, build_row, read_jsonl

ADA = {"start": 0, "end": 3, "type": "PER"}
LONDON = {"start": 11, "end": 17, "type": "LOC"}


def build_suspect(split: str = "test", rank: int = 1, **changes) -> Suspect:
    """Build a suspect of post 3, whose London should be an ORG."""
    london = LONDON | {"type": "ORG"}
    fields = {
        "id": "3",
        "split": split,
        "rank": rank,
        "score": 0.9,
        "text": "Ada visits London again (3)",
        "gold": [ADA, LONDON],
        "suggested": [ADA, london],
        "agreeing": ["student"],
        "reason": "“London” ORG instead of “London” LOC: student",
        "example": "3",
        "removed": [LONDON],
        "added": [london],
    }
    return Suspect(**(fields | changes))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write):
    """Run a command in a project whose data set has a post with an ORG, and a suspect."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    write("set/train.jsonl", [build_row(1), build_row(2, entities=[ADA, LONDON | {"type": "ORG"}])])
    write("set/test.jsonl", [build_row(3)])
    write("params.yaml", "task: ner\ndata: {path: set}\n")
    workspace = Workspace()
    post = build_post("[Ada](PER) visits [London](LOC) again (3)", id="3", relations=[(0, 1, "None")])
    write_table(workspace.locate_posts("test"), [post])
    suspects = [build_suspect(), build_suspect(rank=2, score=0.6)]
    write_table(workspace.evaluation / "suspected_errors.jsonl", suspects)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_suspects_are_listed_with_their_score_and_reason(run) -> None:
    result = run("suspects", "--split", "test", "--limit", "1")

    assert result.exit_code == 0, result.output
    assert "0.90" in result.output
    assert "0.60" not in result.output
    assert "teach.folds" in result.output


def test_suspects_are_printed_as_json_lines(run) -> None:
    result = run("suspects", "--json")

    assert [json.loads(line)["rank"] for line in result.output.splitlines()] == [1, 2]


def test_an_unknown_split_is_refused(run) -> None:
    assert isinstance(run("suspects", "--split", "dev").exception, ConfigError)


def test_a_project_that_was_not_evaluated_is_told_what_to_run(run) -> None:
    (Workspace().evaluation / "suspected_errors.jsonl").unlink()

    error = run("suspects").exception

    assert isinstance(error, DataError)
    assert "dvc repro evaluate" in error.remedy


@pytest.mark.parametrize("option", [("--to", "argilla"), ("--output", "tasks.json")])
def test_a_tool_and_a_file_go_together(run, option) -> None:
    assert isinstance(run("suspects", *option).exception, ConfigError)


def test_a_task_for_label_studio_has_the_gold_as_annotation_and_the_suggestion_as_prediction(run) -> None:
    result = run("suspects", "--limit", "1", "--to", "label-studio", "--output", "tasks.json")

    assert result.exit_code == 0, result.output
    (task,) = json.loads(Path("tasks.json").read_text("utf-8"))
    (annotation,), (prediction,) = task["annotations"], task["predictions"]
    assert [region["value"]["labels"] for region in annotation["result"]] == [["PER"], ["LOC"]]
    assert [region["value"]["labels"] for region in prediction["result"]] == [["PER"], ["ORG"]]
    assert prediction["score"] == 0.9
    assert (task["data"]["split"], task["data"]["rank"]) == ("test", 1)


def test_a_record_for_argilla_has_the_gold_as_response_and_the_suggestion_with_its_score(run) -> None:
    run("suspects", "--limit", "1", "--to", "argilla", "--output", "records.json")

    (record,) = json.loads(Path("records.json").read_text("utf-8"))
    assert [span["label"] for span in record["responses"]["spans"][0]["value"]] == ["PER", "LOC"]
    assert [span["label"] for span in record["suggestions"]["spans"]["value"]] == ["PER", "ORG"]


def test_what_comes_back_corrected_becomes_a_correction_that_fits(run, write) -> None:
    write("export.jsonl", [build_row(3, entities=[LONDON | {"type": "ORG"}, ADA], relations=[]), build_row(1)])

    imported = run("corrections", "import", "export.jsonl", "--output", "set/fixed.jsonl", "--by", "mk")

    assert imported.exit_code == 0, imported.output
    assert "1 correction, 1 post as before" in imported.output
    assert [(row["id"], row["split"], row["by"]) for row in read_jsonl(Path("set/fixed.jsonl"))] == [
        ("3", "test", "mk")
    ]
    checked = run("corrections", "check", "set/fixed.jsonl")
    assert (checked.exit_code, "1 post corrected (test 1)" in checked.output) == (0, True)


def test_what_comes_back_is_read_in_the_words_of_the_data_set(run, write) -> None:
    write("params.yaml", "task: ner\ndata: {path: set, words: characters}\n")
    name = {"start": 0, "end": 2, "type": "PER"}
    rows = [{"id": f"k{number}", "text": f"민수 왔다 {number}", "entities": [name]} for number in range(150)]
    row = {"id": "particle", "text": "민수는 왔다", "entities": [name | {"end": 3}]}
    write("set/train.jsonl", [*rows, row])
    write("export.jsonl", [*rows, row | {"entities": [name]}])

    result = run("corrections", "import", "export.jsonl", "--output", "fixed.jsonl")

    assert result.exit_code == 0, result.output
    assert [(row["id"], row["entities"]) for row in read_jsonl(Path("fixed.jsonl"))] == [("particle", [name])]


def test_what_comes_back_with_another_text_is_refused(run, write) -> None:
    write("export.jsonl", [build_row(3, text="Ada visits London again (4)")])

    result = run("corrections", "import", "export.jsonl", "--output", "fixed.jsonl")

    assert result.exit_code == 1
    assert "its text is another than the data set's" in result.output


def test_relations_come_back_counted_among_the_post_s_own_mentions(run, write) -> None:
    write("params.yaml", "task: re\ndata: {path: set}\n")
    write("set/train.jsonl", [build_row(1), build_row(2, relations=[{"head": 0, "tail": 1, "label": "in"}])])
    turned = build_row(3, entities=[LONDON, ADA], relations=[{"head": 1, "tail": 0, "label": "in"}])
    write("export.jsonl", [turned])

    result = run("corrections", "import", "export.jsonl", "--output", "fixed.jsonl")

    assert result.exit_code == 0, result.output
    assert read_jsonl(Path("fixed.jsonl"))[0]["relations"] == [{"head": 0, "tail": 1, "label": "in"}]


def test_a_correction_that_does_not_fit_ends_the_check_with_status_1(run, write) -> None:
    write("set/fixed.jsonl", [{"id": "9", "split": "test", "entities": []}])

    result = run("corrections", "check", "set/fixed.jsonl")

    assert result.exit_code == 1
    assert "set/fixed.jsonl:1: correction of post '9' refused: there is no post '9' in test" in result.output


def test_without_a_file_the_check_looks_at_the_one_of_the_parameters(run) -> None:
    assert "data.corrections names no file" in str(run("corrections", "check").exception)


def test_files_that_differ_are_not_merged_without_a_preference(run, write) -> None:
    write("a.jsonl", [{"id": "3", "split": "test", "entities": []}])
    write("b.jsonl", [{"id": "3", "split": "test", "entities": [ADA]}])

    refused = run("corrections", "merge", "a.jsonl", "b.jsonl", "--output", "c.jsonl")

    assert isinstance(refused.exception, DataError)
    assert not Path("c.jsonl").exists()
    assert (
        run("corrections", "merge", "a.jsonl", "b.jsonl", "--output", "c.jsonl", "--prefer", "last").exit_code == 0
    )
    assert read_jsonl(Path("c.jsonl"))[0]["entities"] == [ADA]


def test_a_damaged_file_is_not_merged(run, write) -> None:
    write("a.jsonl", "{\n")

    assert "a.jsonl:1" in str(run("corrections", "merge", "a.jsonl", "a.jsonl", "--output", "c.jsonl").exception)


def test_data_check_counts_the_corrected_posts(run, write) -> None:
    write("set/fixed.jsonl", [{"id": "3", "split": "test", "entities": []}])
    write("params.yaml", "task: ner\ndata: {path: set, corrections: fixed.jsonl}\n")

    result = run("check")

    assert "corrections: 1 post corrected (test 1), 1 relation left out with a mention" in result.output
    assert "note: test: 1 post has corrected labels" in result.output


def accept_label_studio(tasks: list) -> None:
    """Have an annotator take the suggestion over."""
    for task in tasks:
        task["annotations"] = [{"result": task["predictions"][0]["result"]}]


def accept_argilla(records: list) -> None:
    """Have an annotator take the suggestion over."""
    for record in records:
        user = record["responses"]["spans"][0]["user_id"]
        record["responses"]["spans"] = [{"value": record["suggestions"]["spans"]["value"], "user_id": user}]


@pytest.mark.parametrize(("tool", "accept"), [("label-studio", accept_label_studio), ("argilla", accept_argilla)])
def test_a_suggestion_that_is_accepted_in_an_annotation_tool_becomes_a_correction(run, tool, accept) -> None:
    run("suspects", "--limit", "1", "--to", tool, "--output", "tasks.json")
    tasks = json.loads(Path("tasks.json").read_text("utf-8"))
    accept(tasks)
    Path("tasks.json").write_text(json.dumps(tasks), "utf-8")

    result = run("corrections", "import", "tasks.json", "--output", "fixed.jsonl")

    assert result.exit_code == 0, result.output
    (row,) = read_jsonl(Path("fixed.jsonl"))
    assert [label["type"] for label in row["entities"]] == ["PER", "ORG"]


def answer_label_studio(tasks: list) -> None:
    """Have an annotator add an annotation of their own to the gold that went out."""
    for task in tasks:
        task["annotations"].append({"result": task["predictions"][0]["result"]})


def answer_argilla(records: list) -> None:
    """Have a user answer, listed before the gold that went out."""
    for record in records:
        answer = {
            "value": record["suggestions"]["spans"]["value"],
            "user_id": "11111111-2222-3333-4444-555555555555",
        }
        record["responses"]["spans"].insert(0, answer)


@pytest.mark.parametrize(("tool", "answer"), [("label-studio", answer_label_studio), ("argilla", answer_argilla)])
def test_an_annotation_beside_the_gold_that_went_out_becomes_a_correction(run, tool, answer) -> None:
    run("suspects", "--limit", "1", "--to", tool, "--output", "tasks.json")
    tasks = json.loads(Path("tasks.json").read_text("utf-8"))
    answer(tasks)
    Path("tasks.json").write_text(json.dumps(tasks), "utf-8")

    result = run("corrections", "import", "tasks.json", "--output", "fixed.jsonl")

    assert "1 correction, 0 posts as before, 0 refused" in result.output
    assert ("note: 1 post has several annotators" in result.output) == (tool == "label-studio")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda result: result[0].pop("value"), "a region does not say where it starts"),
        (lambda result: result[0].update(value=None), "a region does not say where it starts"),
        (lambda result: result[0]["value"].pop("start"), "a region does not say where it starts"),
        (lambda result: result[0]["value"].pop("labels"), "a region has no label"),
        (lambda result: result.append(3), "the result 3 is no object"),
    ],
)
def test_a_region_that_was_damaged_by_hand_is_no_deleted_mention(run, change, reason) -> None:
    run("suspects", "--limit", "1", "--to", "label-studio", "--output", "tasks.json")
    tasks = json.loads(Path("tasks.json").read_text("utf-8"))
    change(tasks[0]["annotations"][0]["result"])
    Path("tasks.json").write_text(json.dumps(tasks), "utf-8")

    result = run("corrections", "import", "tasks.json", "--output", "fixed.jsonl")

    assert result.exit_code == 1
    assert reason in result.output
    assert "0 corrections, 0 posts as before, 1 refused" in result.output


@pytest.mark.parametrize(
    ("output", "options", "problem"),
    [
        ("export.jsonl", ["--overwrite"], "export.jsonl: is the export itself, which would be lost"),
        ("fixed.jsonl", [], "fixed.jsonl: exists"),
        ("new.jsonl", ["--format", "xyz"], "--format xyz: Input should be 'auto'"),
    ],
)
def test_an_import_writes_over_nothing_and_takes_no_unknown_format(run, write, output, options, problem) -> None:
    for name in ("export.jsonl", "fixed.jsonl"):
        write(name, [build_row(3)])

    result = run("corrections", "import", "export.jsonl", "--output", output, *options)

    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(problem)
    assert [len(read_jsonl(Path(name))) for name in ("export.jsonl", "fixed.jsonl")] == [1, 1]


def test_earlier_corrections_are_replaced_where_that_is_meant(run, write) -> None:
    write("export.jsonl", [build_row(3)])
    write("fixed.jsonl", [build_row(3)])

    result = run("corrections", "import", "export.jsonl", "--output", "fixed.jsonl", "--overwrite")

    assert (result.exit_code, Path("fixed.jsonl").read_text("utf-8")) == (0, "")


@pytest.mark.parametrize("tool", ["label-studio", "argilla"])
def test_a_post_that_comes_back_as_it_went_is_no_correction(run, tool) -> None:
    run("suspects", "--limit", "1", "--to", tool, "--output", "tasks.json")

    result = run("corrections", "import", "tasks.json", "--output", "fixed.jsonl")

    assert "0 corrections, 1 post as before, 0 refused" in result.output
