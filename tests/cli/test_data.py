"""`cotpd data`: what it prints, its exit status, and that bad input never ends in a traceback."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.data import SHOWN, app
from cotpd.data.readers import FORMATS
from cotpd.errors import ConfigError, DataError
from tests.builders import build_row, write_encoder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_a_good_data_set_is_counted(run, write) -> None:
    write("set/train.jsonl", [build_row(1), build_row(2)])
    write("set/test.jsonl", [build_row(3)])

    result = run("check", "set")

    assert result.exit_code == 0, result.output
    lines = {
        line.split("│")[1].strip(): line.split("│")[2:4] for line in result.output.splitlines() if "│" in line
    }
    assert [int(cell) for cell in lines["posts"]] == [2, 1]
    assert [int(cell) for cell in lines["PER"]] == [2, 1]
    assert [int(cell) for cell in lines["None"]] == [2, 1]
    assert "no problems" in result.output


def test_problems_are_listed_by_file_and_line_and_cut_short(run, write) -> None:
    write("set/train.jsonl", [build_row(1), *({"id": str(n)} for n in range(2, SHOWN + 5))])

    result = run("check", "set")

    assert result.exit_code == 1
    assert "set/train.jsonl:2: missing: text" in result.output
    assert result.output.count("missing: text") == SHOWN
    assert "and 3 more" in result.output
    assert run("check", "set", "--all").output.count("missing: text") == SHOWN + 3


def test_a_single_split_can_be_checked(run, write) -> None:
    write("test.jsonl", [build_row(1)])

    assert run("check", "test.jsonl").exit_code == 0


def test_json_holds_counts_and_problems(run, write) -> None:
    write("set/train.jsonl", [build_row(1), {"id": "2"}])
    write("set/captions.jsonl", [{"id": "1", "caption": "a cat"}])

    result = run("check", "set", "--json", "--captions", "captions.jsonl")

    report = json.loads(result.output)
    assert result.exit_code == 1
    assert report["splits"]["train"]["with_caption"] == 1
    assert report["captions"]["read"] == 1
    assert [(p["file"], p["line"], p["id"]) for p in report["problems"]] == [("set/train.jsonl", 2, "2")]


def test_text_in_a_problem_is_printed_as_it_stands(run, write) -> None:
    write(
        "train.jsonl",
        [
            build_row(1),
            build_row(2, entities=[{"start": 0, "end": 3, "type": "[red]"}], relations=[], txt=1, text=...),
        ],
    )

    assert "did you mean 'text'" in run("check", ".").output


def test_without_a_path_the_data_set_of_params_is_checked(run, write) -> None:
    write("own/train.jsonl", [build_row(1)])
    write("params.yaml", "data: {path: own}\n")

    assert run("check").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(["nowhere"], DataError), (["."], DataError), ([".", "--format", "xml"], ConfigError)],
)
def test_what_cannot_be_read_is_an_error_with_a_remedy(run, arguments: list[str], error: type) -> None:
    result = run("check", *arguments)

    assert isinstance(result.exception, error)
    assert result.exception.remedy


def test_formats_shows_an_example_of_each(run) -> None:
    output = run("formats").output

    for form in FORMATS.values():
        assert form.title in output


def test_the_examples_shown_are_read_by_their_readers(tmp_path: Path) -> None:
    from cotpd.data.readers.file_format import Source

    for form in FORMATS.values():
        if form.name in ("parquet", "huggingface", "brat"):
            continue  # no text: tests/data/formats has some
        text = form.example.split("\n" + 22 * " " + "<-")[0]
        text = text.replace(", ...]", "]").replace("<TAB>", "\t")
        if form.name in ("jsonl", "prodigy"):
            text = text.replace("\n", "")
        path = tmp_path / f"train{form.suffix}"
        path.write_text(text, "utf-8")
        assert form.is_format_of(text.splitlines()), form.name
        [post] = list(form.read(Source(path, path.name, "train")))
        assert post.entities, form.name


def test_missing_pictures_are_no_refused_rows_but_a_problem_that_is_named(run, write) -> None:
    write("set/train.jsonl", [build_row(n, image=f"images/{n}.jpg") for n in range(20)])
    write("set/images/other.jpg", "x")

    result = run("check", "set")

    assert "no problems" not in result.output
    assert "20 of 20 pictures are not at hand" in result.output
    assert "set/images" in result.output
    assert "images/0.jpg: there is no such picture" in result.output
    assert "0 rows refused, 20 pictures are not at hand" in result.output
    assert result.exit_code == 0


def test_pictures_whose_names_differ_in_case_alone_are_at_hand(run, write) -> None:
    write("set/train.jsonl", [build_row(n, image=f"images/{n}.jpg") for n in range(5)])
    for n in range(5):
        write(f"set/images/{n}.JPG", "x")

    assert "no problems" in run("check", "set").output


def test_the_rule_for_words_is_shown_with_its_reason_and_counts(run, write) -> None:
    row = {"id": "1", "text": "부산에서 왔다", "entities": [{"start": 0, "end": 2, "type": "LOC"}]}
    write("set/train.jsonl", [row])

    result = run("check", "set")

    assert "words: syllables, chosen by auto: it represents 1 of 1 mention, social 0" in result.output
    assert "of 1: social 0, syllables 1, characters 1, whitespace 0" in result.output


def test_a_rule_that_is_named_is_used_and_one_that_is_none_is_refused(run, write) -> None:
    write("set/train.jsonl", [build_row(1)])

    named = run("check", "set", "--words", "characters", "--json")
    wrong = run("check", "set", "--words", "letters")

    assert json.loads(named.output)["words"]["rule"] == "characters"
    assert isinstance(wrong.exception, ConfigError)
    assert "--words letters" in str(wrong.exception)


def test_an_encoder_that_does_not_know_the_script_is_named_with_the_share(run, write, tmp_path: Path) -> None:
    write_encoder(tmp_path / "latin")
    (tmp_path / "params.yaml").write_text("student: {encoder: latin}", "utf-8")
    write("set/train.jsonl", [{"id": "1", "text": "李雷在北京 ok", "entities": []}])
    write("known/train.jsonl", [{"id": "1", "text": "ada is in rome", "entities": []}])

    unknown, known = run("check", "set"), run("check", "known")

    assert "83% of the words hold signs that the encoder latin does not know ([UNK])" in unknown.output
    assert "student.encoder: FacebookAI/xlm-roberta-base" in unknown.output
    assert "[UNK]" not in known.output


def test_a_misspelt_format_is_named_with_the_nearest_one(run) -> None:
    result = run("formats", "doccan")

    assert isinstance(result.exception, ConfigError)
    assert "did you mean doccano?" in str(result.exception)
