"""`cotpd predict` and `cotpd registry`, as a user types them."""

import gzip
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
from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.registry.pack import register
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
        register(params["ner"], students["ner"], METRICS, root=project)
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


def test_what_arrived_is_answered_before_the_stream_ends():
    """Given a stream that stalls, the rows before the stall come out at once."""
    answered = threading.Event()

    def stream():
        yield {"text": "one"}
        assert answered.wait(10)
        yield {"text": "two"}

    batches = module._batches(stream(), 32)
    assert next(batches) == [{"text": "one"}]
    answered.set()
    assert list(batches) == [[{"text": "two"}]]


def test_batches_lose_nothing_and_pass_an_error_on():
    rows = [{"text": str(n)} for n in range(100)]
    batches = list(module._batches(rows, 7))
    assert [row for batch in batches for row in batch] == rows
    assert max(map(len, batches)) <= 7
    with pytest.raises(DataError, match="posts:2: not JSON"):
        list(module._batches(module._parsed(io.StringIO('{"text": "a"}\n{\n'), "posts", True), 7))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), ConfigError, "nothing to predict"),
        (("a", "--file", "b"), ConfigError, "not both"),
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


def test_what_the_output_cannot_hold_is_escaped_and_the_rest_left_readable():
    assert module._json_line({"text": "Zoë"}, "utf-8") == '{"text": "Zoë"}'
    for text, encoding in (("Zoë", "ascii"), ("\ud83d", "utf-8")):
        line = module._json_line({"text": text}, encoding)
        assert line.isascii()
        assert json.loads(line) == {"text": text}


@pytest.mark.parametrize("line", ['{"text": 5}', '{"txt": "a"}', "[]", "{"])
def test_a_bad_line_is_named_by_its_number_blank_ones_counted(line):
    rows = module._parsed(io.StringIO(f'{{"text": "a"}}\n\n{line}\n'), "posts", True)
    assert next(rows) == {"text": "a"}
    with pytest.raises(DataError, match=r"^posts:3: "):
        next(rows)


def test_packed_files_are_read_and_damaged_ones_named(tmp_path):
    noise = "".join(f"Ada {number} at Acme\n" for number in range(300))
    packed = gzip.compress(noise.encode(), mtime=0)
    middle = len(packed) // 2
    broken = {
        "whole": packed,
        "cut": packed[:middle],
        "spoilt": packed[:40] + bytes(255 - byte for byte in packed[40:middle]) + packed[middle:],
        "plain": noise.encode(),
    }
    for name, content in broken.items():
        (tmp_path / f"{name}.txt.gz").write_bytes(content)
    assert len(list(module._read(str(tmp_path / "whole.txt.gz")))) == 300
    for name in ("cut", "spoilt", "plain"):
        with pytest.raises(DataError, match=rf"{name}\.txt\.gz: damaged") as caught:
            list(module._read(str(tmp_path / f"{name}.txt.gz")))
        assert caught.value.remedy


def test_a_folder_is_no_file_of_posts(tmp_path):
    with pytest.raises(DataError, match="directory"):
        list(module._read(str(tmp_path)))


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
