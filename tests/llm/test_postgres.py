"""The same ledger on a real PostgreSQL: what holds for the file holds for the database that machines share."""

import subprocess
import sys
from dataclasses import replace

import psycopg
import pytest

from cotpd.errors import ConfigError, LlmError
from cotpd.liveness import LAPSE
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger import migrations
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import export_recording, import_recording
from tests.chat_server import ASK_SIXTY, build_entry
from tests.postgres import create_database


@pytest.fixture
def url(postgres, request) -> str:
    """An empty database, as an SQLAlchemy URL."""
    return create_database(postgres, f"test_{abs(hash(request.node.name))}")


def run_sql(url: str, sql: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as db:
        db.execute(sql)


def test_answers_stay_the_first_of_each_key_and_come_back_as_they_were(url):
    with Ledger(url) as ledger:
        entries = [ledger.put(build_entry(text)) for text in "cab"]

        assert ledger.put(build_entry("a", "another")) == entries[1]
        assert ledger.put_many([build_entry("a"), build_entry("d"), build_entry("e")]) == 2

    with Ledger(url) as ledger:
        assert list(ledger.iterate_entries()) == sorted(
            [*entries, *map(build_entry, "de")], key=lambda row: row.key
        )
        assert ledger.get("nothing") is None
        assert ledger.count_by_model() == [("fake-1", 5, 55, 15)]
        assert ledger.find_damaged() == []


def test_what_the_database_does_not_take_costs_its_own_row_alone(url):
    named = Entry.from_response(
        ChatRequest.parse(build_entry("a").request), build_entry("a").response.replace("fake-1", "fake\\u0000")
    )
    bad = replace(build_entry("b"), created="\0")
    with Ledger(url) as ledger:
        futures = [ledger.submit(entry) for entry in (named, bad, build_entry("c"))]

        assert futures[0].result(10).model == "fake\ufffd"

        with pytest.raises(LlmError, match="NUL"):
            futures[1].result(10)

        assert futures[2].result(10).key == build_entry("c").key
        assert ledger.find_damaged() == []


def test_a_damaged_row_is_found_and_gives_way(url):
    with Ledger(url) as ledger:
        damaged, intact = ledger.put(build_entry("a")), ledger.put(build_entry("b"))

        run_sql(url, f"UPDATE answer SET latency = latency + 1 WHERE key = '{damaged.key}'")

        assert ledger.find_damaged() == [damaged.key]
        assert ledger.get_many([damaged.key, intact.key]) == {intact.key: intact}

        ledger.put(build_entry("a"))

        assert ledger.find_damaged() == []
        assert ledger.get(damaged.key) is not None


def test_a_recording_moves_a_ledger_between_the_two(url, tmp_path):
    with Ledger(tmp_path / "file.db") as file, Ledger(url) as database:
        file.put_many([build_entry(f"‹ü 🛰 {n}", str(n)) for n in range(700)])
        export_recording(file, tmp_path / "a.jsonl", raw=True)

        assert import_recording(database, tmp_path / "a.jsonl").new == 700

        export_recording(database, tmp_path / "b.jsonl", raw=True)

        assert list(database.iterate_entries()) == list(file.iterate_entries())

    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_claims_are_taken_once(url):
    with Ledger(url) as ledger:
        first, second = Claims(ledger.database), Claims(ledger.database)

        assert first.claim(["a", "b"]) == {"a", "b"}
        assert second.claim(["b", "c"]) == {"c"}

        first.release()

        assert second.claim(["b"]) == {"b"}


def test_claims_of_another_machine_lapse_by_the_servers_clock(url, monkeypatch):
    with Ledger(url) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr("socket.gethostname", lambda: "elsewhere")
            patch.setattr("time.time", lambda: 0.0)
            Claims(ledger.database).claim(["a"])
        local_claims = Claims(ledger.database)

        assert local_claims.claim(["a"]) == set()

        run_sql(url, f"UPDATE asker SET seen = seen - {LAPSE + 1} WHERE name LIKE 'elsewhere:%'")

        assert local_claims.claim(["a"]) == {"a"}


def test_processes_that_share_it_open_it_at_once_and_ask_each_question_once(url, server, params):
    server.latency = 0.05
    shared = params.model_copy(update={"ledger": url})
    command = [sys.executable, "-c", ASK_SIXTY, shared.model_dump_json()]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]

    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors

    assert sorted(server.list_texts(), key=int) == [str(n) for n in range(60)]
    with Ledger(url) as ledger:
        assert len(list(ledger.iterate_entries())) == 60


def test_a_database_of_something_else_or_of_a_newer_version_is_left_alone(url, monkeypatch):
    run_sql(url, "CREATE TABLE theirs (x INTEGER)")

    with pytest.raises(LlmError, match="a database of something else"):
        Ledger(url)

    run_sql(url, "DROP TABLE theirs")
    Ledger(url).close()
    monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])

    with pytest.raises(LlmError, match="written by a newer cotpd"):
        Ledger(url)


def test_a_server_that_is_away_is_named():
    with pytest.raises(LlmError, match=r"user@127\.0\.0\.1"):
        Ledger("postgresql+psycopg://user@127.0.0.1:1/ledger")


def test_a_password_in_the_address_is_refused_and_not_quoted():
    with pytest.raises(ConfigError, match="PGPASSWORD") as raised:
        Ledger("postgresql+psycopg://user:geheim@127.0.0.1:1/ledger")

    assert "geheim" not in str(raised.value)

    for name in ("password", "PASSWORD", "sslpassword"):
        with pytest.raises(ConfigError, match="PGPASSWORD") as raised:
            Ledger(f"postgresql+psycopg://user@127.0.0.1:1/ledger?{name}=geheim")
        assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://user@host:abc/ledger",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:",
        ":memory:",
        "",
        "a\0b",
        "~nobody-here/l.db",
    ],
)
def test_an_address_that_names_no_ledger_is_refused(address):
    with pytest.raises(ConfigError, match=r"llm\.ledger"):
        Ledger(address)


def test_another_database_is_refused_by_name_and_a_file_may_be_written_as_an_address(tmp_path):
    with pytest.raises(ConfigError, match="mysql is not supported"):
        Ledger("mysql://user@host/ledger")

    with Ledger(f"sqlite:///{tmp_path}/file.db") as ledger:
        ledger.put(build_entry("a"))

    assert (tmp_path / "file.db").is_file()
