"""What the user can mend is logged and printed in its own words; a traceback is for faults of this software."""

import logging
import subprocess
import sys

import pytest
from prefect.exceptions import FailedRun, ParameterTypeError

from cotpd.errors import ConfigError, StorageError
from flows.failures import StageFailedError, _Sentences, explain_failure, show_uncaught_error
from flows.stage_run import describe_failure
from tests.flows.programs import LIMIT

FREE_SPACE = "Free some space, then run again: what was finished before is kept."
MENDABLE = ConfigError("params.yaml:3: train.epocs: there is no such parameter", "Every parameter is explained.")


def log_error(sentences, error):
    """Log an error as Prefect's engine does; return what a handler is given, None if nothing is."""
    record = logging.LogRecord("prefect.flow_runs", logging.ERROR, "", 0, "Encountered %r", (error,), None)
    record.exc_info = (type(error), error, None)
    return record if sentences.filter(record) else None


def print_error(error, capsys):
    """Print an error that no one has caught; return what the terminal shows."""
    show_uncaught_error(type(error), error, error.__traceback__)
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MENDABLE, str(MENDABLE)),
        (StageFailedError("ask failed:\nerror: no server"), "ask failed:\nerror: no server"),
        (OSError(28, "No space left on device", "params.yaml"), "params.yaml: could not be written: the disk is full"),
        (FailedRun("the run has not ended within 2 hours"), "the run has not ended within 2 hours"),
    ],
)  # fmt: skip
def test_an_error_that_can_be_mended_has_no_traceback(error, sentence):
    record = log_error(_Sentences(), error)

    assert record.getMessage().startswith(sentence)
    assert record.exc_info is None


def test_an_error_is_logged_once():
    sentences = _Sentences()
    log_error(sentences, MENDABLE)

    record = log_error(sentences, MENDABLE)

    assert record is None


def test_a_fault_keeps_its_traceback():
    record = log_error(_Sentences(), ZeroDivisionError("division by zero"))

    assert record.exc_info[0] is ZeroDivisionError
    assert record.getMessage() == "Encountered ZeroDivisionError('division by zero')"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (MENDABLE, f"error: {MENDABLE}\n"),
        (ParameterTypeError("jobs: Input should be at least 1"), "error: jobs: Input should be at least 1\n"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero\n"),
    ],
)
def test_a_terminal_shows_what_can_be_mended_in_its_own_words(capsys, error, shown):
    printed = print_error(error, capsys)

    assert printed.startswith(shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flow", ["flows.full import full; full()", "flows.study_runs import run_study; run_study()"]
)
def test_a_flow_by_hand_names_the_server_that_is_missing(root, monkeypatch, flow):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")

    process = subprocess.run(
        [sys.executable, "-c", f"from {flow}"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert process.returncode == 1
    assert "error: no Prefect server answers at http://127.0.0.1:9/api\n" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.slow
def test_pools_are_not_looked_for_without_a_server(root, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    process = subprocess.run(
        [sys.executable, "-m", "flows.work_pools"],
        cwd=root, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip

    assert process.returncode == 1
    assert "error: no Prefect server answers at http://127.0.0.1:9/api\n" in process.stderr
    assert "Traceback" not in process.stderr


def test_an_error_of_the_system_becomes_a_sentence_in_the_state():
    with pytest.raises(StorageError, match=r"the disk is full\n  Free some space"), explain_failure():
        raise OSError(28, "No space left on device")


def test_the_failure_of_dvc_on_a_full_disk_gets_a_remedy():
    error = describe_failure("teach", ["ERROR: failed to reproduce 'teach': [Errno 28] No space left on device"])

    assert error.remedy.startswith("Free some space")


def test_a_failure_that_names_its_remedy_keeps_it():
    error = describe_failure("train", ["error: models: could not be written: the disk is full", f"  {FREE_SPACE}"])

    assert str(error).count(FREE_SPACE) == 1
