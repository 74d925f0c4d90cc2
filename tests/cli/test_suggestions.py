"""`cotpd predict --to TOOL`: a file that an annotation tool imports as suggestions."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.errors import ConfigError
from cotpd.inference.loading import load_predictor
from tests.trained_students import TEXT

POSTS = [{"id": f"p{number}", "text": TEXT, "image": f"{number}.jpg"} for number in range(3)]


@pytest.fixture
def suggest(students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command with a student of a task on posts.jsonl; return standard output."""
    monkeypatch.chdir(tmp_path)
    Path("posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in POSTS), "utf-8")

    def _run(*arguments: str, task: str = "ner") -> str:
        options = ["predict", "--model", str(students[task]), *arguments]
        return CliRunner().invoke(app, options, catch_exceptions=False).stdout

    return _run


def parse(tool: str, text: str) -> list[Any]:
    if tool in ("label-studio", "argilla"):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()]


def list_spans(tool: str, row: Any) -> list[tuple[int, int, str]]:
    """The suggested mentions of a row, in the shape of its tool."""
    if tool == "label-studio":
        values = [item["value"] for item in row["predictions"][0]["result"] if "value" in item]
        return [(value["start"], value["end"], value["labels"][0]) for value in values]
    if tool == "argilla":
        return [(span["start"], span["end"], span["label"]) for span in row["suggestions"]["spans"]["value"]]
    if tool == "prodigy":
        return [(span["start"], span["end"], span["label"]) for span in row["spans"]]
    return [tuple(span) for span in row["label"]]


@pytest.mark.parametrize("tool", ["label-studio", "doccano", "prodigy", "argilla"])
def test_a_tool_is_given_the_spans_that_the_student_predicts(suggest, tool: str) -> None:
    rows = parse(tool, suggest("--file", "posts.jsonl", "--to", tool))

    predictions = [json.loads(line) for line in suggest("--file", "posts.jsonl", "--json").splitlines()]
    entities = [(entity["start"], entity["end"], entity["type"]) for entity in predictions[0]["entities"]]
    assert entities
    assert [list_spans(tool, row) for row in rows] == [entities] * 3


def test_label_studio_is_given_scores_the_model_and_the_post_s_own_id(suggest, students) -> None:
    (task, *_) = json.loads(suggest("--file", "posts.jsonl", "--to", "label-studio"))

    prediction = task["predictions"][0]
    assert task["data"] == {"id": "p0", "text": TEXT, "image": "0.jpg"}
    assert prediction["model_version"] == str(students["ner"])
    assert all(0 < item["score"] <= 1 for item in prediction["result"])


def test_a_file_is_scored_into_the_file_of_a_tool(suggest) -> None:
    out = suggest("--input", "posts.jsonl", "--output", "tasks.json", "--to", "label-studio")

    tasks = json.loads(Path("tasks.json").read_text("utf-8"))
    assert [task["data"]["id"] for task in tasks] == ["p0", "p1", "p2"]
    assert "3 posts" in out
    assert sorted(path.name for path in Path().iterdir()) == ["posts.jsonl", "tasks.json"]


def test_a_predicted_relation_joins_its_two_mentions(suggest) -> None:
    out = suggest("--head", "Ada", "--tail", "Acme", "--to", "label-studio", TEXT, task="re")

    result = json.loads(out)[0]["predictions"][0]["result"]
    assert [item.get("value", {}).get("text") for item in result] == ["Ada", "Acme", None]
    assert (result[2]["from_id"], result[2]["to_id"]) == (result[0]["id"], result[1]["id"])


def test_a_tool_s_file_is_not_replaced_unasked(suggest) -> None:
    Path("tasks.json").write_text("[]")

    with pytest.raises(ConfigError, match="exists"):
        suggest("--input", "posts.jsonl", "--output", "tasks.json", "--to", "label-studio")


WORDS = ["Ada", "Lovelace,", "of", "Acme", "Corp"]


def write_words(students: dict[str, Path]) -> list[tuple[int, int, str]]:
    """Write a post in words, in JSON Lines and in CSV; return its predicted mentions in characters."""
    text = " ".join(WORDS)
    Path("words.jsonl").write_text(json.dumps({"id": "w", "tokens": WORDS}) + "\n", "utf-8")
    cell = json.dumps(WORDS).replace('"', '""')
    Path("words.csv").write_text(f'id,tokens\nw,"{cell}"\n', "utf-8")
    mentions = load_predictor(students["ner"], "torch", "cpu").predict({"text": text, "tokens": WORDS})
    return [(*span, mention.type) for span, mention in zip(mentions.spans, mentions, strict=True)]


@pytest.mark.parametrize("tool", ["label-studio", "doccano", "prodigy", "argilla"])
def test_suggestions_about_a_post_in_words_count_its_characters(suggest, students, tool: str) -> None:
    expected = write_words(students)

    (row,) = parse(tool, suggest("--file", "words.jsonl", "--to", tool))

    assert expected
    assert list_spans(tool, row) == expected


@pytest.mark.parametrize("source", ["words.jsonl", "words.csv"])
def test_a_file_of_words_is_scored_into_the_file_of_a_tool(suggest, students, source: str) -> None:
    expected = write_words(students)

    suggest("--input", source, "--output", "tasks.json", "--to", "label-studio")

    (task,) = json.loads(Path("tasks.json").read_text("utf-8"))
    assert task["data"] == {"id": "w", "text": " ".join(WORDS), "tokens": WORDS}
    assert list_spans("label-studio", task) == expected


def test_a_tool_s_file_has_the_texts_also_where_few_columns_are_kept(suggest) -> None:
    suggest("--input", "posts.jsonl", "--output", "tasks.json", "--to", "label-studio", "--keep", "id")

    tasks = json.loads(Path("tasks.json").read_text("utf-8"))
    assert [task["data"] for task in tasks] == [{"id": post["id"], "text": TEXT} for post in POSTS]
