"""The near training posts of a real student, as the page asks for them."""

import pytest

from cotpd.cli.serve import _choose_data, _read_training_examples
from cotpd.data.tables import write_table
from cotpd.errors import DataError
from cotpd.serving.limits import Limits
from cotpd.serving.served_version import load_version
from cotpd.serving.service import Service
from cotpd.serving.training_posts import TrainingPosts
from tests.builders import build_post, write_jsonl
from tests.serving.running_server import run_server, wait_until
from tests.trained_students import TEXT


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder of tables with a post that the student knows, as a project of the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    post = build_post("[Ada](PER) works for [Acme](ORG) in Rome", id="known", relations=[(0, 1, "member")])
    second = build_post("[Bob](PER) left [Initech](ORG) yesterday", id="other", relations=[(0, 1, "None")])
    write_table("data/prepared/train.jsonl", [second, post])
    for name in ("captions", "knowledge"):
        write_jsonl(tmp_path / f"data/validated/{name}.jsonl", [])
    return tmp_path / "data"


def ask_until_read(server, body):
    answers = []

    def is_read():
        answers.append(server.send("/v1/neighbours", body).body)
        return not answers[-1]["is_reading"]

    wait_until(is_read, 60)
    return answers[-1]


@pytest.mark.parametrize(
    ("task", "body"), [("ner", {"text": TEXT}), ("re", {"text": TEXT, "head": "Ada", "tail": "Acme"})]
)
def test_each_prediction_has_its_nearest_training_post(students, data, task, body):
    posts = TrainingPosts(lambda name: _read_training_examples(data, name))
    service = Service(load_version(str(students[task]), device="cpu"), Limits(), training_posts=posts)

    with run_server(service) as server:
        answer = ask_until_read(server, body)

    claims = answer["claims"]
    assert claims, answer["note"]
    assert [claim["label"] for claim in claims] == (["PER", "ORG"] if task == "ner" else ["member"])
    assert {claim["neighbours"][0]["id"].split("#")[0] for claim in claims} == {"known"}


def test_training_posts_that_cannot_be_read_are_said(students, data):
    (data / "prepared/train.jsonl").write_text("no JSON\n")
    posts = TrainingPosts(lambda name: _read_training_examples(data, name))
    service = Service(load_version(str(students["ner"]), device="cpu"), Limits(), training_posts=posts)

    with run_server(service) as server:
        answer = ask_until_read(server, {"text": TEXT})
        assert server.predict({"text": TEXT}).status == 200

    assert answer["claims"] is None
    assert "train.jsonl:1" in answer["note"]


def test_training_posts_of_the_project_are_shown_on_a_local_address_alone(data):
    assert _choose_data(None, "127.0.0.1") is not None
    assert _choose_data(None, "0.0.0.0") is None
    assert _choose_data(data, "0.0.0.0") == data
    with pytest.raises(DataError):
        _choose_data(data / "nothing", "127.0.0.1")
