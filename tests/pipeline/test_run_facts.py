"""What was run, as it is noted beside the scores: no clock, no path of the machine, nothing that is not known."""

import json
import subprocess

import pytest

from cotpd.config import Params
from cotpd.pipeline.run_facts import gather_run_record
from cotpd.pipeline.workspace import Workspace
from tests.builders import build_posts, write_prepared_tables


@pytest.fixture
def workspace(tmp_path):
    write_prepared_tables(tmp_path, {"train": build_posts(4), "test": build_posts(2)})
    return Workspace(tmp_path)


def run_git(folder, *arguments):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def test_the_commit_is_noted_and_whether_files_differ_from_it(workspace, tmp_path):
    run_git(tmp_path, "init")
    run_git(tmp_path, "add", ".")
    run_git(tmp_path, "commit", "-m", "all")
    clean = gather_run_record(workspace, Params(), tmp_path)

    (tmp_path / "new.txt").write_text("x")
    changed = gather_run_record(workspace, Params(), tmp_path)

    assert len(clean.commit) == 40
    assert (clean.is_changed, changed.is_changed) == (False, True)


def test_outside_a_checkout_and_without_a_ledger_the_record_says_so(workspace, tmp_path):
    params = Params.model_validate({"llm": {"ledger": str(tmp_path / "gone.db")}})

    record = gather_run_record(workspace, params, tmp_path)

    assert record.commit == ""
    assert record.costs == ()
    assert record.cost_note == "The cost is not known: there is no ledger gone.db"
    # the summary of these tables has no warnings of its own
    assert record.warnings[0].startswith("The checks are not known: ")
    assert str(tmp_path) not in record.model_dump_json()


def test_parameters_stand_beside_their_defaults_and_full_paths_are_names(workspace, tmp_path):
    params = Params.model_validate({"student": {"encoder": str(tmp_path / "my-encoder")}, "train": {"epochs": 99}})

    record = gather_run_record(workspace, params, tmp_path)

    changed = {setting.name: setting.value for setting in record.settings if setting.is_changed}
    assert changed == {"student.encoder": "my-encoder", "train.epochs": 99}


def test_tables_are_noted_with_rows_and_digests_and_prompts_with_their_text(workspace, tmp_path):
    record = gather_run_record(workspace, Params(), tmp_path)

    rows = {table.name: table.rows for table in record.tables}
    assert rows["prepared/train.jsonl"] == 4
    assert all(len(table.sha256) == 64 for table in record.tables)
    assert {prompt.name for prompt in record.prompts} >= {"default/noun", "default/style"}
    assert json.loads(record.model_dump_json())["task"] == "ner"
