"""`cotpd predict --input FILE --output FILE`, as a user types it, and as a scheduler kills it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cotpd.cli.main import app
from cotpd.errors import ConfigError, DataError, ModelError
from tests.builders import read_jsonl, write_jsonl
from tests.trained_students import TEXT

LIMIT = 120.0  # seconds for anything that is waited for, on a busy machine
# scores 64 rows, then waits as long as there is a file called pause
START = """
import time
from pathlib import Path
from cotpd.cli.main import main
from cotpd.scoring import row_predictions
predict = row_predictions.predict_source_rows
def predict_and_wait(model, rows, first, options):
    while first > 1 and Path("pause").exists():
        time.sleep(0.02)
    return predict(model, rows, first, options)
row_predictions.predict_source_rows = predict_and_wait
main()
"""


def run(*arguments: str, **options) -> Result:
    return CliRunner().invoke(app, ["predict", *arguments], catch_exceptions=False, **options)


@pytest.fixture
def ner(students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The option that names a student of entities, in a folder with two posts."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "posts.jsonl", [{"id": 1, "text": TEXT}, {"id": 2, "text": None}])
    return "--model", str(students["ner"])


def test_a_file_is_scored_and_the_command_says_what_it_did(ner):
    result = run(*ner, "--input", "posts.jsonl", "--output", "spans.csv", "--keep", "id")

    assert "spans.csv: 2 rows of posts.jsonl scored" in result.stdout
    assert "1 row without a prediction, which could not be read: spans.csv.quarantine.jsonl" in result.stdout
    assert Path("spans.csv").read_text().splitlines()[0] == "id,entities,error"


def test_predictions_are_those_of_the_command_without_a_file(ner):
    [expected] = map(json.loads, run(*ner, "--json", TEXT).stdout.splitlines())

    run(*ner, "--input", "posts.jsonl", "--output", "spans.jsonl")

    assert read_jsonl(Path("spans.jsonl"))[0]["entities"] == expected["entities"] != []


def test_a_file_of_pairs_is_scored_by_a_model_of_relations(students, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_jsonl(Path("pairs.jsonl"), [{"post": TEXT, "from": "Ada", "to": "Acme"}])
    columns = ("--text-column", "post", "--head-column", "from", "--tail-column", "to")

    run("--model", str(students["re"]), "--input", "pairs.jsonl", "--output", "labels.jsonl", *columns)

    [row] = read_jsonl(Path("labels.jsonl"))
    assert (row["label"], row["error"]) == ("member", None)


def test_a_pipe_goes_through_with_a_row_for_a_row(ner):
    out = run(*ner, "--input", "-", "--output", "-", input=Path("posts.jsonl").read_text() + "no JSON\n").stdout

    rows = [json.loads(line) for line in out.splitlines()]
    assert [row.get("id") for row in rows] == [1, 2, None]
    assert [row["error"] is None for row in rows] == [True, False, False]


def test_a_file_may_be_written_to_a_pipe(ner):
    out = run(*ner, "--input", "posts.jsonl", "--output", "-", "--keep", "id").stdout

    rows = [json.loads(line) for line in out.splitlines()]
    assert [list(row) for row in rows] == [["id", "entities", "error"]] * 2


def test_a_key_of_a_stream_is_not_overwritten(ner):
    with pytest.raises(DataError, match="row 1: its key 'entities' has the name of a predicted one"):
        run(*ner, "--input", "-", "--output", "-", input='{"text": "Ada", "entities": "gold"}\n')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input", "posts.jsonl"), "--output is missing"),
        (("--output", "spans.jsonl"), "--input is missing"),
        (("--overwrite", "Ada"), "--input is missing"),
        (("--text-column", "post", "Ada"), "--input is missing"),
        (("--input", "posts.jsonl", "--output", "a.jsonl", "Ada"), "--input and posts do not go together"),
        (("--input", "posts.jsonl", "--output", "a.jsonl", "--json"), "--input and --json do not go together"),
        (
            ("--input", "posts.jsonl", "--output", "a.jsonl", "--file", "-"),
            "--input and --file do not go together",
        ),
        (("--input", "nowhere.csv", "--output", "-"), "there is no such file"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(ner, arguments, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run(*ner, *arguments)

    assert caught.value.remedy


def test_a_backend_is_passed_on(ner):
    with pytest.raises(ModelError, match="has no export"):
        run(*ner, "--backend", "onnx", "--input", "posts.jsonl", "--output", "spans.jsonl")


class Scoring:
    """A process that scores many posts, and that a test ends."""

    rows = 200
    output = Path("spans.jsonl")

    def __init__(self, model: tuple[str, str]) -> None:
        write_jsonl(Path("many.jsonl"), [{"id": number, "text": TEXT} for number in range(self.rows)])
        files = ("--input", "many.jsonl", "--output", str(self.output), "--batch-size", "4")
        self.command = [sys.executable, "-c", START, "predict", *model, *files]

    def start(self) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            self.command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def count_committed(self) -> int:
        journal = Path("spans.jsonl.scoring/predictions.jsonl")
        return journal.read_bytes().count(b"\n") if journal.is_file() else 0

    def stop(self, number: int) -> tuple[int, str, int]:
        """Start it, send it a signal once some rows are committed; return exit status, output and these rows."""
        Path("pause").touch()
        process, deadline = self.start(), time.monotonic() + LIMIT
        while not self.count_committed() and process.poll() is None:
            assert time.monotonic() < deadline, "no row was committed"
            time.sleep(0.02)
        process.send_signal(number)
        out, _ = process.communicate(timeout=LIMIT)
        Path("pause").unlink()
        return process.returncode, out, self.count_committed()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_is_gone_on_with(ner, number):
    scoring = Scoring(ner)

    status, out, committed = scoring.stop(number)
    was_there = scoring.output.exists()
    process = scoring.start()
    again, _ = process.communicate(timeout=LIMIT)

    assert committed == 64
    assert not was_there
    assert status == (-9 if number == signal.SIGKILL else 130)
    assert number == signal.SIGKILL or f"stopped: {committed} rows are scored; the same command goes on" in out
    assert f"{committed:,} of them in an earlier run" in again
    assert [row["id"] for row in read_jsonl(scoring.output)] == list(range(scoring.rows))
