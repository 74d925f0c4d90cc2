"""`cotpd serve` with real students in a real registry: promotions under load, damage, loss of the registry, SIGTERM."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cotpd.cli.serve import serve
from cotpd.config import Params
from cotpd.errors import CotpdError
from cotpd.pipeline.registration import register_student
from cotpd.registry.aliases import move_champion, read_champion, roll_back
from cotpd.registry.model_address import find_student_folder
from cotpd.registry.moves import Decision, MoveKind
from cotpd.registry.tracking_store import connect
from tests.serving.running_server import JSON, read_response, wait_until
from tests.trained_students import TEXT

pytestmark = pytest.mark.slow
NAME = "cotpd-ner"
SECONDS = 90
MAIN = "from cotpd.cli.main import main; main()"


class Registry:
    """A project whose registry has three versions of one student, which differ in their scores."""

    def __init__(self, root, student):
        self.root, self.params = root, Params(task="ner")
        (root / "params.yaml").write_text("data: {path: sample}\n")
        self.client = connect(self.params.register_, root)
        for number in (1, 2, 3):
            register_student(
                self.params, copy_student(student, root / "models" / str(number), number), {}, root=root
            )

    def promote(self, number):
        champion = read_champion(self.client, NAME)
        decision = Decision(MoveKind.PROMOTION)
        move_champion(self.client, NAME, number, expected_champion=champion, decision=decision)

    def find_weights(self, number):
        folder = find_student_folder(f"models:/{NAME}/{number}", self.params.register_, self.root)
        return folder / "model.safetensors"


def copy_student(student, folder, number):
    from cotpd.student import Student

    copied = Student.from_pretrained(student, "cpu")
    copied.temperature = float(number)
    copied.save(folder)
    return folder


class Command:
    """A running `cotpd serve`."""

    def __init__(self, root, *arguments):
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        number = len(list(root.glob("log-*")))
        self.log, self.access = root / f"log-{number}.txt", root / f"access-{number}.jsonl"
        with self.log.open("w") as log, self.access.open("w") as access:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "serve", "--port", "0", "--poll", "0.1", *arguments],
                cwd=root,
                env=environment,
                stdout=access,
                stderr=log,
            )
        wait_until(lambda: "answers at" in self.log.read_text() or self.process.poll() is not None, SECONDS)
        address = re.search(r"answers at http://127.0.0.1:(\d+)", self.log.read_text())
        self.port = int(address[1]) if address else 0

    def send(self, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        content = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, content, JSON)
        try:
            return read_response(connection.getresponse())
        finally:
            connection.close()

    def read_version(self):
        return self.send("/v1/predict", {"text": TEXT}).body["model"]["version"]

    def read_problem(self):
        return self.send("/readyz").body["follows"]["problem"] or ""

    def stop(self):
        self.process.terminate()
        return self.process.wait(SECONDS)


@pytest.fixture(scope="module")
def registry(students, empty_registry, tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    shutil.copy(empty_registry, root / "mlflow.db")
    return Registry(root, students["ner"])


@pytest.fixture(scope="module")
def command(registry):
    """A server of the champion, version 1."""
    registry.promote(1)
    started = Command(registry.root)
    assert started.port, started.log.read_text()
    yield started
    started.process.kill()


class Clients:
    """Clients that ask again and again for two texts at once, each on one connection."""

    def __init__(self, port, count):
        self.answers, self.failures, self._port = [], [], port
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self.run) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        while not self._ended.is_set():
            try:
                connection.request("POST", "/v1/predict", json.dumps({"texts": [TEXT, TEXT]}), JSON)
                self.answers.append(read_response(connection.getresponse()))
            except OSError as error:
                self.failures.append(error)
                return


def test_promotions_and_rollbacks_are_live_under_load_and_cost_no_request(registry, command):
    with Clients(command.port, 8) as clients:
        for number, move in ((2, registry.promote), (3, registry.promote), (2, None)):
            if move is None:
                roll_back(registry.client, NAME, expected_champion=3)
            else:
                move(number)
            wait_until(lambda number=number: command.read_version() == str(number), SECONDS)

    assert clients.failures == []
    assert {answer.status for answer in clients.answers} == {200}
    scores = {}
    for answer in clients.answers:  # both texts of a request have the score of the version that it names
        for row in answer.body["predictions"]:
            scores.setdefault(answer.body["model"]["version"], set()).add(row["entities"][0]["score"])
    assert sorted(scores) == ["1", "2", "3"]
    assert [len(values) for values in scores.values()] == [1, 1, 1]
    assert command.read_problem() == ""


def test_a_damaged_version_is_not_taken_and_said(registry, command):
    weights = registry.find_weights(1)
    content = weights.read_bytes()
    version = command.read_version()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    registry.client.set_registered_model_alias(NAME, "champion", "1")
    wait_until(lambda: command.read_problem(), SECONDS)

    assert "version 1 could not be loaded" in command.read_problem()
    assert "model.safetensors" in command.read_problem()
    assert str(registry.root) not in command.read_problem()
    assert str(weights) in command.log.read_text()
    assert command.read_version() == version
    weights.write_bytes(content)
    registry.client.set_registered_model_alias(NAME, "champion", version)
    wait_until(lambda: not command.read_problem(), SECONDS)


def test_an_alias_that_is_deleted_or_a_registry_that_is_gone_leaves_what_serves(registry, command):
    version, database = command.read_version(), registry.root / "mlflow.db"

    registry.client.delete_registered_model_alias(NAME, "champion")
    wait_until(lambda: "the alias is gone" in command.read_problem(), SECONDS)
    assert command.read_version() == version
    registry.client.set_registered_model_alias(NAME, "champion", version)
    wait_until(lambda: not command.read_problem(), SECONDS)

    database.rename(registry.root / "away.db")
    wait_until(lambda: "the registry does not answer" in command.read_problem(), SECONDS)
    assert command.read_version() == version
    (registry.root / "away.db").rename(database)
    wait_until(lambda: not command.read_problem(), SECONDS)


def test_sigterm_answers_what_is_in_flight_and_ends_with_0(registry):
    command = Command(registry.root, "--model", "models/2", "--batch-texts", "8")
    with Clients(command.port, 1) as clients:
        wait_until(lambda: clients.answers, SECONDS)
        long = threading.Thread(
            target=lambda: answers.append(command.send("/v1/predict", {"texts": [TEXT] * 800}))
        )
        answers: list = []
        long.start()
        wait_until(lambda: b"cotpd_queued_texts 0.0" not in command.send("/metrics").body, SECONDS)
        status = command.stop()
        long.join(SECONDS)

    assert status == 0
    assert (answers[0].status, len(answers[0].body["predictions"])) == (200, 800)
    lines = [json.loads(line) for line in command.access.read_text().splitlines()]
    assert lines[-1].keys() == {"time", "client", "method", "route", "status", "ms", "texts", "version"}
    assert TEXT not in command.access.read_text() + command.log.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": f"models:/{NAME}/9"}, "has no version or alias '9'"),
        ({"model": f"models:/{NAME}@nobody"}, "has no version or alias 'nobody'"),
        ({"model": "models:/nothing@champion"}, "there is no registered model nothing"),
        ({"model": "models/9"}, "models/9: there is no such folder"),
        ({"model": "models/2", "token_env": "COTPD_NOT_SET"}, "COTPD_NOT_SET is not set"),
        ({"model": "models/2", "token_env": "a secret!"}, "not the name of an environment variable"),
        ({"model": "models/2", "host": "192.0.2.1"}, "192.0.2.1:0 cannot be listened on"),
        ({"model": "models/2", "data": Path("nowhere")}, "nowhere"),
        ({"model": "models/2", "device": "cuda:99"}, "device 'cuda:99' is not there"),
        ({"model": "models/2", "backend": "onnx-int8"}, "has no export"),
    ],
)
def test_a_server_that_cannot_start_says_why(registry, monkeypatch, options, message):
    monkeypatch.chdir(registry.root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    with pytest.raises(CotpdError, match=re.escape(message)):
        serve(port=0, **options)


def test_a_port_that_is_taken_is_said_before_the_model_is_loaded(registry, command, monkeypatch):
    monkeypatch.chdir(registry.root)

    with pytest.raises(CotpdError, match="in use"):
        serve(model="models/9", port=command.port)


def test_fixed_versions_are_served_and_follow_nothing(registry):
    command = Command(registry.root, "--model", f"models:/{NAME}/3")

    state = command.send("/readyz").body

    assert state["model"]["version"] == "3"
    assert state["follows"] == {"alias": None, "followed": None, "problem": None}
    assert command.stop() == 0
