"""Answers of a local registry are kept until its database changes, by whatever process."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cotpd.pipeline.registration import register_student
from cotpd.registry import model_address, store_answers
from cotpd.registry.model_address import find_student_folder
from cotpd.registry.store_answers import ask_store
from cotpd.registry.tracking_store import connect, read_store_params


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of SQLite, and an empty cache."""
    monkeypatch.setattr(store_answers, "find_cache_folder", lambda: tmp_path / "cache")
    write(tmp_path / "store.db", "CREATE TABLE numbers (number INTEGER)")
    return tmp_path / "store.db"


def write(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


def count_asked(database: Path | None, times: int = 2, question: str = "a") -> int:
    """Ask several times; return how often the store was asked."""
    asked: list[str] = []
    for _ in range(times):
        ask_store(database, question, lambda: asked.append(question))
    return len(asked)


def test_a_store_is_asked_once_until_it_changes(database: Path) -> None:
    counts = [count_asked(database)]
    write(database, "INSERT INTO numbers VALUES (1)")
    counts.append(count_asked(database))
    write(database, "UPDATE numbers SET number = 2")
    counts.append(count_asked(database))

    assert counts == [1, 1, 1]


def test_the_answer_that_is_kept_is_the_one_that_was_given(database: Path) -> None:
    answer = {"folder": "/a", "files": None}

    assert [ask_store(database, "x", lambda: answer), ask_store(database, "x", lambda: "other")] == [
        answer,
        answer,
    ]


@pytest.mark.parametrize("suffix", ["-journal", "-wal"])
def test_a_store_in_the_middle_of_a_transaction_is_asked_each_time(database: Path, suffix: str) -> None:
    database.with_name(database.name + suffix).write_bytes(b"")

    assert count_asked(database) == 2


def test_questions_and_stores_have_answers_of_their_own(database: Path) -> None:
    copy = database.with_name("copy.db")
    copy.write_bytes(database.read_bytes())

    counts = [count_asked(database), count_asked(database, question="b"), count_asked(copy), count_asked(None)]

    assert counts == [1, 1, 1, 2]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"state": 1}'])
def test_a_damaged_record_is_asked_for_again(database: Path, content: bytes) -> None:
    count_asked(database)
    (record,) = database.parent.glob("cache/registry/*.json")
    record.write_bytes(content)

    assert count_asked(database) == 1


def test_a_cache_that_cannot_be_written_costs_time_alone(database: Path) -> None:
    (database.parent / "cache").write_bytes(b"in the way")

    assert count_asked(database) == 2


def test_a_registered_student_is_found_without_mlflow_until_its_alias_moves(
    project: Path, params, students, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "params.yaml").write_text("register: {tracking_uri: 'sqlite:///mlflow.db'}\n")
    metrics = {"test": {"student": {"f1": 0.5}}}
    register_student(params["ner"], students["ner"], metrics, root=project)
    connections: list[Path] = []
    monkeypatch.setattr(model_address, "connect", lambda *given: connections.append(given[1]) or connect(*given))
    address = "models:/cotpd-ner@challenger"

    first, second = find_student_folder(address), find_student_folder(address)
    asked = len(connections)
    connect(read_store_params(project), project).delete_registered_model_alias("cotpd-ner", "challenger")

    assert (first, asked) == (second, 1)
    with pytest.raises(model_address.ModelError, match="no version or alias 'challenger'"):
        find_student_folder(address)


def test_changed_files_of_a_version_are_found_without_mlflow_too(project: Path, params, students) -> None:
    (project / "params.yaml").write_text("register: {tracking_uri: 'sqlite:///mlflow.db'}\n")
    register_student(params["ner"], students["ner"], {"test": {"student": {"f1": 0.5}}}, root=project)
    folder = find_student_folder("models:/cotpd-ner/1")
    (folder / "student.json").write_text("{}")

    with pytest.raises(model_address.ModelError, match=r"student\.json was changed since it was registered"):
        find_student_folder("models:/cotpd-ner/1")
