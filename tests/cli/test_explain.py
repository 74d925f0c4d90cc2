"""`cotpd explain`, as a user types it."""

import json
import shutil

import pytest
import typer
from typer.testing import CliRunner

from cotpd.cli import explain as module
from cotpd.data.records import Caption, Kind, Knowledge
from cotpd.data.tables import write_table
from cotpd.errors import CotpdError, DataError
from tests.builders import build_posts, build_student

app = typer.Typer()
app.command()(module.explain)
POST = "bob lives in paris ."


def run(*arguments, **options):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False, **options).stdout


@pytest.fixture
def project(encoder, tmp_path, monkeypatch):
    """The current folder, with an untrained student of each kind and the tables of twelve posts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "110")
    build_student(encoder).save("models/student")
    build_student(encoder, views=("text",), prompt_length=0).save("models/baseline")
    build_student(encoder, "re").save("models/re")
    posts = build_posts(12)
    write_table("data/prepared/train.jsonl", posts)
    captions = [
        Caption(id=post.id, image="x.jpg", caption=f"picture {post.id}", backend="tags") for post in posts[1:]
    ]
    write_table("data/validated/captions.jsonl", captions)
    knowledge = [Knowledge(id=post.id, kind=Kind.NOUN, text="acme is a [firm]. " + "long " * 60) for post in posts]
    write_table("data/validated/knowledge.jsonl", knowledge)
    return tmp_path


def test_each_mention_comes_with_training_posts_their_chains_and_the_attention(project):
    out = run("--model", "models/student", "--nearest", "2", POST)

    rows = run("--model", "models/student", "--nearest", "2", "--json", POST).splitlines()

    claims = json.loads(rows[0])["claims"]
    assert claims  # an untrained student predicts some mention here
    for claim in claims:
        assert f"{claim['label']} {claim['score']:.2f}  {claim['marks'][0]['text']}" in out
    assert out.count("noun ") == 2 * len(claims)
    assert "[firm]" in out  # brackets are no markup
    assert "…" in out
    assert "prompts look at" in out
    assert "…" not in run("--model", "models/student", "--nearest", "1", "--full", POST)


def test_json_lines_hold_all_of_it(project):
    lines = run("--model", "models/student", "--file", "-", "--json", input=f"{POST}\n\nann\n").splitlines()

    first, second = map(json.loads, lines)
    assert (first["text"], second["text"]) == (POST, "ann")
    neighbour = first["claims"][0]["neighbours"][0]
    mark = neighbour["marks"][0]
    assert neighbour["chain"]["noun"].endswith("long ")
    assert neighbour["text"][mark["start"] : mark["end"]] == mark["text"]
    assert len(first["attention"]["queries"]) == 3


def test_a_model_without_prompts_says_so_and_shows_the_rest(project):
    out = run("--model", "models/baseline", POST)

    assert "reads no prompts" in out
    assert json.loads(run("--model", "models/baseline", "--json", POST))["attention"] is None


def test_a_relation_comes_with_the_nearest_pairs(project):
    explanation = json.loads(run("--model", "models/re", "--head", "bob", "--tail", "paris", "--json", POST))

    [claim] = explanation["claims"]
    assert claim["label"] in ("lives_in", "None")
    assert [mark["role"] for mark in claim["marks"]] == ["head", "tail"]
    assert {neighbour["label"] for neighbour in claim["neighbours"]} <= {"lives_in", "None"}
    out = run("--model", "models/re", "--head", "bob", "--tail", "paris", POST)
    assert f"{claim['label']} {claim['score']:.2f}  bob → paris" in out
    assert " head]" in out


def test_a_post_without_a_word_has_nothing_to_explain(project):
    assert json.loads(run("--model", "models/student", "--json", " "))["claims"] == []
    out = run("--model", "models/student", " ")
    assert "nothing found in it" in out
    assert "There is no word in it" in out
    assert "reads no prompts" not in out


def test_a_row_keeps_its_id_and_what_came_with_it(project):
    row = json.dumps({"id": 7, "text": POST, "lang": "en"})

    explanation = json.loads(run("--model", "models/student", "--file", "-", "--json", input=f"{row}\n"))

    assert (explanation["id"], explanation["text"], explanation["lang"]) == (7, POST, "en")
    assert json.loads(run("--model", "models/student", "--json", POST))["id"] == "text"


def test_what_the_terminal_cannot_hold_is_marked_and_the_rest_shown(project):
    odd = json.dumps({"text": "\ud800 \x1b[2J bob lives in zoë . \x9b"})

    for charset in ("utf-8", "ascii"):
        runner = CliRunner(charset=charset)
        arguments = ["--model", "models/student", "--jsonl", "--file", "-"]
        out = runner.invoke(app, arguments, input=f"{odd}\n", catch_exceptions=False).stdout
        assert "[2J bob lives in zo" in out
        assert not {"\x1b", "\x9b"} & set(out)


@pytest.mark.parametrize("gone", ["data/prepared/train.jsonl", "data/validated/knowledge.jsonl", "data"])
def test_missing_tables_are_named_with_what_to_do(project, gone):
    path = project / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    with pytest.raises(DataError, match=r"no such table.*\n.*--data"):
        run("--model", "models/student", POST)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no posts were given"),
        (("--model", "models/student", "--head", "bob", POST), "--head and --tail ask for a relation"),
        (("--model", "models/nowhere", POST), "there is no such folder"),
        (("--model", "models/re", POST), "head is missing"),
        (("--model", "models/re", "--head", "eve", "--tail", "paris", POST), "'eve' does not stand in the text"),
    ],
)
def test_what_is_wrong_is_said(project, arguments, message):
    with pytest.raises(CotpdError, match=message):
        run(*arguments)
