"""`cotpd predict` and `cotpd registry`, as a user types them."""

import io
import json
import shutil
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cotpd.cli import predict as module
from cotpd.cli import registry
from cotpd.cli.posts import parse_lines
from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.pipeline.registration import register_student
from tests.registry.conftest import TEXT

app = typer.Typer()
app.command()(module.predict)
METRICS = {"test": {"student": {"f1": 0.5}, "gain": {"f1": 0.125}}}


def run(*arguments, **options):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False, **options)


@pytest.fixture
def registered(project, params, students, root):
    shutil.copy(root / "params.yaml", project)
    for _ in range(2):
        register_student(params["ner"], students["ner"], METRICS, root=project)
    return project


def test_a_post_is_shown_with_its_entities_in_place(registered):
    out = run(TEXT).stdout
    assert out.startswith("[Ada PER ")
    assert "] works for [Acme ORG " in out
    assert out.endswith(" in Rome\n")


def test_json_lines_from_a_file_keep_the_order_and_what_came_with_the_rows(students, project):
    lines = [{"text": f"Ada {n}", "id": n} for n in range(40)]
    Path("posts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    out = run("--model", str(students["ner"]), "--file", "posts.jsonl", "--json").stdout.splitlines()
    found = [json.loads(line) for line in out]
    assert [one["id"] for one in found] == list(range(40))
    for one in found:
        for entity in one["entities"]:
            assert one["text"][entity["start"] : entity["end"]] == entity["text"]


def test_plain_lines_are_read_from_standard_input_and_blank_ones_are_passed_over(students, project):
    out = run("--model", str(students["ner"]), "--file", "-", "--json", input="Ada\n\nAcme\n").stdout.splitlines()
    assert [json.loads(line)["text"] for line in out] == ["Ada", "Acme"]


def test_a_relation_is_asked_for_with_head_and_tail(students, project):
    out = run("--model", str(students["re"]), "--head", "Ada", "--tail", "Acme", TEXT).stdout
    assert out.startswith(f"{TEXT}  Ada → Acme: member ")


def test_a_device_that_is_not_there_is_named(students, project):
    with pytest.raises(ConfigError, match="device 'tpu' is not there"):
        run("--model", str(students["ner"]), "--device", "tpu", TEXT)


def test_what_arrived_is_answered_before_the_stream_ends():
    """Given a stream that stalls, the rows before the stall come out at once."""
    answered = threading.Event()

    def stream():
        yield {"text": "one"}
        assert answered.wait(10)
        yield {"text": "two"}

    found = module.collect_batches(stream(), 32)
    assert next(found) == [{"text": "one"}]
    answered.set()
    assert list(found) == [[{"text": "two"}]]


def test_batches_lose_nothing_and_pass_an_error_on():
    rows = [{"text": str(n)} for n in range(100)]
    batches = list(module.collect_batches(rows, 7))
    assert [row for batch in batches for row in batch] == rows
    assert max(map(len, batches)) <= 7
    with pytest.raises(DataError, match="posts:2: not JSON"):
        list(module.collect_batches(parse_lines(io.StringIO('{"text": "a"}\n{\n'), "posts", True), 7))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), ConfigError, "no posts were given"),
        (("a", "--file", "b"), ConfigError, "not both"),
        (("a", "--plain"), ConfigError, "say how a file is read"),
        (("a", "--model", "models/nowhere"), ModelError, "there is no such folder"),
        (("a",), ConfigError, "params.yaml: there is no such file"),
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
def test_a_file_that_cannot_be_read_is_named(students, project, content):
    if content is not None:
        Path("posts.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"posts\.txt: "):
        run("--model", str(students["ner"]), "--file", "posts.txt")


def test_half_a_surrogate_pair_is_answered_like_any_other_character(students, project):
    text = "Ada \ud83d at Acme"
    Path("odd.jsonl").write_text(json.dumps({"text": text}) + "\n", "ascii")
    model = ("--model", str(students["ner"]), "--file", "odd.jsonl")
    row = json.loads(run(*model, "--json").stdout)
    assert row["text"] == text
    assert [text[one["start"] : one["end"]] for one in row["entities"]] == [one["text"] for one in row["entities"]]
    assert " ? " in run(*model).stdout


def test_a_bad_pair_is_named_by_its_line_and_costs_no_row_before_it(students, project):
    rows = [{"text": TEXT, "head": "Ada", "tail": "Acme"}, {"text": TEXT, "head": [0, 3], "tail": [14, 18]}]
    rows.append({"text": TEXT, "head": "Ada", "tail": "Bob"})
    Path("pairs.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    asked = ["--model", str(students["re"]), "--file", "pairs.jsonl"]
    done = CliRunner().invoke(app, asked)
    assert str(done.exception).startswith("pairs.jsonl:5: tail 'Bob' does not stand in the text")
    by_name, by_place = done.stdout.splitlines()
    assert by_name == by_place
    assert by_name.startswith(f"{TEXT}  Ada → Acme: member ")


def test_a_pair_is_not_asked_of_a_model_of_entities(students, project):
    with pytest.raises(ConfigError, match="--head and --tail ask for a relation"):
        run("--model", str(students["ner"]), "--head", "Ada", TEXT)


def test_control_characters_do_not_reach_the_terminal_and_entities_stay_in_place(students, project):
    text = "\x1b]0;x\x07 \r Ada works for Acme \x9b in Rome"
    model = ("--model", str(students["ner"]))
    found = json.loads(run(*model, "--json", text).stdout)
    assert found["text"] == text
    out = run(*model, text).stdout
    assert all(character.isprintable() for character in out.rstrip("\n"))
    for entity in found["entities"]:
        assert f"[{module.make_printable(entity['text'])} {entity['type']} " in out


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_output_that_knows_few_characters_gets_the_rest_escaped_or_marked(students, project, options):
    arguments = ["--model", str(students["ner"]), *options, "Zoë works for Acme"]
    out = CliRunner(charset="ascii").invoke(app, arguments, catch_exceptions=False).stdout
    assert "Acme" in out
    assert ("Zo\\u00eb" if options else "Zo?") in out


def test_versions_are_listed_promoted_and_rolled_back(registered):
    def registry_command(*arguments):
        return CliRunner().invoke(registry.app, list(arguments), catch_exceptions=False).stdout

    assert "is version 1\n" in registry_command("promote", "1")
    assert "is version 2, after version 1\n" in registry_command("promote")
    listed = registry_command("list")
    assert "challenger, champion" in listed.replace("\n", " ")
    assert "previous" in listed
    assert "50.00" in listed
    assert "is version 1 again, instead of 2" in registry_command("rollback")
    assert run("--model", "models:/cotpd-ner@champion", TEXT).stdout.startswith("[Ada PER")
