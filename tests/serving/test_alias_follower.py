"""A server that follows an alias: what moves is taken, what is damaged, gone or silent is not, and each is said."""

import pytest

from cotpd.errors import ModelError
from cotpd.serving import alias_follower
from cotpd.serving.alias_follower import AliasFollower
from cotpd.serving.limits import Limits
from cotpd.serving.micro_batches import MicroBatcher
from cotpd.serving.service_metrics import ServiceMetrics
from tests.serving.fake_predictor import build_inputs, build_version


class FakeAlias:
    """An alias whose registry answers what a test sets: a number, None, or an error."""

    name, alias = "fake", "champion"

    def __init__(self):
        self.answer = 1

    def read_number(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Follower:
    """A follower with all its parts, whose alias is looked at when a test says so."""

    def __init__(self):
        self.alias, self.metrics = FakeAlias(), ServiceMetrics()
        self.versions = {1: build_version("1"), 2: build_version("2"), 3: build_version("3")}
        self.loads = []
        limits = Limits()
        self.batcher = MicroBatcher(self.versions[1], 4, 0, limits.queued_texts, self.metrics)
        self.batcher.start()
        self.follower = AliasFollower(self.alias, self.load, self.batcher, self.metrics, 0.01)

    def load(self, number):
        self.loads.append(number)
        version = self.versions[number]
        if isinstance(version, Exception):
            raise version
        return version

    def look(self, answer):
        """Let the registry answer so, and look."""
        self.alias.answer = answer
        self.follower.check()
        return self.follower.describe()["problem"] or ""

    def ask(self):
        """Return the version that answers."""
        return self.batcher.submit(build_inputs("A")).result(10).version.version


@pytest.fixture
def parts():
    parts = Follower()
    yield parts
    parts.batcher.stop()


def test_a_version_that_the_alias_moves_to_answers_and_is_loaded_once(parts):
    assert parts.look(1) == ""
    assert parts.look(2) == ""
    assert parts.look(2) == ""

    assert parts.ask() == "2"
    assert parts.loads == [2]
    assert b'cotpd_model_info{backend="torch",name="fake",version="2"} 1.0' in parts.metrics.format()
    assert b'version="1"' not in parts.metrics.format()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "the alias is gone; version 1 goes on answering"),
        (ModelError("the tracking server does not answer"), "the registry does not answer"),
        (RuntimeError("a bug in a driver"), "the registry does not answer (RuntimeError)"),
    ],
)
def test_without_alias_or_registry_the_version_goes_on_and_says_so(parts, answer, problem, capsys):
    problems = [parts.look(answer) for _ in range(3)]

    assert problem in problems[0]
    assert parts.ask() == "1"
    assert b"cotpd_alias_followed 0.0" in parts.metrics.format()
    assert capsys.readouterr().err.count("warning") == 1  # and not at every look
    assert parts.look(2) == ""
    assert parts.ask() == "2"
    assert b"cotpd_alias_followed 1.0" in parts.metrics.format()


@pytest.mark.parametrize(
    "error", [ModelError("models:/fake/2: /home/ada/mlruns/1/model.safetensors was changed"), OSError("gone")]
)
def test_a_version_that_cannot_be_loaded_is_not_taken_and_said(parts, error, capsys):
    parts.versions[2] = error

    problems = [parts.look(2) for _ in range(3)]

    assert problems[0].startswith("version 2 could not be loaded")
    assert len(set(problems)) == 1
    assert parts.loads == [2]  # it is not read again at every look
    assert parts.ask() == "1"
    assert b'cotpd_reloads_total{outcome="refused"} 1.0' in parts.metrics.format()
    assert str(error) in capsys.readouterr().err
    assert parts.look(3) == ""  # the next promotion is taken
    assert parts.ask() == "3"


def test_a_refused_version_is_tried_again_later_as_its_files_may_be_back(parts, monkeypatch):
    monkeypatch.setattr(alias_follower, "RETRY_SECONDS", 0.0)
    parts.versions[2] = ModelError("damaged")
    assert "damaged" in parts.look(2)

    parts.versions[2] = build_version("2")

    assert parts.look(2) == ""
    assert parts.ask() == "2"


def test_an_alias_that_moves_back_from_a_refused_version_is_followed_again(parts):
    parts.versions[2] = ModelError("damaged")
    parts.look(2)

    assert parts.look(1) == ""
    assert b"cotpd_alias_followed 1.0" in parts.metrics.format()


def test_a_model_of_another_task_is_not_taken(parts):
    parts.versions[2] = build_version("2", task="re")

    assert "it is a model of re" in parts.look(2)
    assert parts.ask() == "1"


def test_readiness_says_no_folder_and_no_password(parts):
    problem = parts.look(
        ModelError("the registry postgresql://cotpd:secret@db/mlflow: /var/lib/mlruns/x/model.safetensors is gone")
    )

    assert "secret" not in problem
    assert "/var/lib" not in problem
    assert "model.safetensors is gone" in problem


def test_a_registry_that_hangs_is_said_after_a_while(parts):
    parts.look(1)
    assert parts.follower.describe()["followed"]

    parts.follower._checked -= 3600

    assert "has not answered for 36" in parts.follower.describe()["problem"]
