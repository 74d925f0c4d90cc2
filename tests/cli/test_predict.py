"""`cotpd predict`, as a user types it."""

import io
import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cotpd.cli.main import app
from cotpd.cli.output import make_printable
from cotpd.cli.posts import parse_lines
from cotpd.cli.predict import collect_batches
from cotpd.errors import ConfigError, DataError, ModelError
from tests.trained_students import TEXT


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(app, ["predict", *arguments], catch_exceptions=False, **options)


@pytest.fixture
def ner(students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The option that names a student of entities, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return "--model", str(students["ner"])


@pytest.fixture
def re(students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The option that names a student of relations, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return "--model", str(students["re"])


def test_json_lines_from_a_file_keep_the_order_and_what_came_with_the_rows(ner):
    lines = [{"text": f"Ada {number}", "id": number} for number in range(40)]
    Path("posts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")

    out = run(*ner, "--file", "posts.jsonl", "--json").stdout

    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["id"] for row in rows] == list(range(40))
    for row in rows:
        for entity in row["entities"]:
            assert row["text"][entity["start"] : entity["end"]] == entity["text"]


def test_plain_lines_are_read_from_standard_input_and_blank_ones_are_passed_over(ner):
    out = run(*ner, "--file", "-", "--json", input="Ada\n\nAcme\n").stdout

    assert [json.loads(line)["text"] for line in out.splitlines()] == ["Ada", "Acme"]


def test_a_relation_is_asked_for_with_head_and_tail(re):
    out = run(*re, "--head", "Ada", "--tail", "Acme", TEXT).stdout

    assert out.startswith(f"{TEXT}  Ada → Acme: member ")


def test_a_device_that_is_not_there_is_named(ner):
    with pytest.raises(ConfigError, match="device 'tpu' is not there"):
        run(*ner, "--device", "tpu", TEXT)


def test_what_arrived_is_answered_before_the_stream_ends():
    answered = threading.Event()

    def stream() -> Iterator[str]:
        yield "first"
        assert answered.wait(10)
        yield "second"

    batches = collect_batches(stream(), 32)
    first = next(batches)
    answered.set()

    assert first == ["first"]
    assert list(batches) == [["second"]]


def test_batches_lose_no_row():
    batches = list(collect_batches(range(100), 7))

    assert list(itertools.chain.from_iterable(batches)) == list(range(100))
    assert max(map(len, batches)) <= 7


def test_batches_pass_an_error_on():
    rows = parse_lines(io.StringIO('{"text": "a"}\n{\n'), "posts", True)

    with pytest.raises(DataError, match="posts:2: not JSON"):
        list(collect_batches(rows, 7))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), ConfigError, "no posts were given"),
        (("a", "--file", "b"), ConfigError, "not both"),
        (("a", "--plain"), ConfigError, "say how a file is read"),
        (("a", "--model", "models/nowhere"), ModelError, "there is no such folder"),
        (("a",), ConfigError, "no model is named, and .* holds no params.yaml"),
        (("a", "--model", "models:/x@challenger"), ModelError, "no registry is named"),
    ],
)
def test_what_is_wrong_is_said_with_a_remedy(tmp_path, monkeypatch, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    with pytest.raises(error, match=message) as caught:
        run(*arguments)

    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named(ner, content):
    if content is not None:
        Path("posts.txt").write_bytes(content)

    with pytest.raises(DataError, match=r"posts\.txt: "):
        run(*ner, "--file", "posts.txt")


def test_half_a_surrogate_pair_is_answered_like_any_other_character(ner):
    text = "Ada \ud83d at Acme"
    Path("odd.jsonl").write_text(json.dumps({"text": text}) + "\n", "ascii")

    row = json.loads(run(*ner, "--file", "odd.jsonl", "--json").stdout)
    out = run(*ner, "--file", "odd.jsonl").stdout

    assert row["text"] == text
    for entity in row["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]
    assert " ? " in out


def test_a_bad_pair_is_named_by_its_line_and_costs_no_row_before_it(re):
    rows = [
        {"text": TEXT, "head": "Ada", "tail": "Acme"},
        {"text": TEXT, "head": [0, 3], "tail": [14, 18]},
        {"text": TEXT, "head": "Ada", "tail": "Bob"},
    ]
    Path("pairs.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n", "utf-8")

    result = CliRunner().invoke(app, ["predict", *re, "--file", "pairs.jsonl"])

    by_name, by_position = result.stdout.splitlines()
    assert str(result.exception).startswith("pairs.jsonl:5: tail 'Bob' does not stand in the text")
    assert by_name == by_position
    assert by_name.startswith(f"{TEXT}  Ada → Acme: member ")


def test_a_pair_is_not_asked_of_a_model_of_entities(ner):
    with pytest.raises(ConfigError, match="--head and --tail ask for a relation"):
        run(*ner, "--head", "Ada", TEXT)


def test_control_characters_do_not_reach_the_terminal_and_entities_stay_in_place(ner):
    text = "\x1b]0;x\x07 \r Ada works for Acme \x9b in Rome"

    row = json.loads(run(*ner, "--json", text).stdout)
    out = run(*ner, text).stdout

    assert row["text"] == text
    assert all(character.isprintable() for character in out.rstrip("\n"))
    for entity in row["entities"]:
        assert f"[{make_printable(entity['text'])} {entity['type']} " in out


@pytest.mark.parametrize(("options", "character"), [((), "Zo?"), (("--json",), "Zo\\u00eb")])
def test_a_character_that_the_output_lacks_is_escaped_or_marked(ner, options, character):
    arguments = ["predict", *ner, *options, "Zoë works for Acme"]

    out = CliRunner(charset="ascii").invoke(app, arguments, catch_exceptions=False).stdout

    assert "Acme" in out
    assert character in out
