"""The commands llm, ledger and models as they are typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cotpd.cli import ledger as ledger_commands
from cotpd.cli import llm as llm_commands
from cotpd.cli import models as model_commands
from cotpd.errors import ConfigError, DataError, LlmError, ModelError, StorageError
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.local_server import LocalServer
from cotpd.llm.params import LlmParams
from cotpd.weights import find_cached, get_model
from tests.chat_server import build_completion, build_error, build_questions, build_reply


def run(app, *arguments: str) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def folder(llm_params: LlmParams, tmp_path: Path, monkeypatch) -> Path:
    """A folder to stand in, with parameters that lead to the fake server."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"llm": llm_params.model_dump()}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_question_shows_prompt_and_answer_and_is_kept(folder, server):
    shown = run(llm_commands.app, "ask", "Ada in London", "--kind", "noun", "--prompts", "paper")
    assert "Help me explain the meaning" in shown
    assert "ADA IN LONDON" in shown
    assert "paper/noun@2" in shown
    assert "asked" in shown
    assert "from the ledger" in run(
        llm_commands.app, "ask", "Ada in London", "--kind", "noun", "--prompts", "paper"
    )
    assert len(server.received) == 1


def test_every_kind_can_be_asked(folder, server):
    run(llm_commands.app, "ask", "x", "--kind", "multimodality", "--caption", "a tower")
    run(llm_commands.app, "ask", "x", "--kind", "style", "--mention", "Ada", "--mention", "London")
    run(llm_commands.app, "ask", "x", "--kind", "entity", "--swap", "Paris", "London", "LOC")
    assert "a tower" in server.list_texts()[0]
    assert "Ada; London" in server.list_texts()[1]
    assert "Paris for London (LOC)" in server.list_texts()[2]
    with pytest.raises(ConfigError, match="caption"):
        run(llm_commands.app, "ask", "x", "--kind", "multimodality")


def test_what_a_post_or_an_answer_holds_steers_no_terminal(folder, server):
    server.always = build_reply(build_completion("\x1b]0;mine\x07 tricky").replace("fake-1", "fake\\u001b[2J"))
    shown = run(llm_commands.app, "ask", "\x1b[2J Ada", "--kind", "noun") + run(ledger_commands.app, "stats")
    assert "tricky" in shown
    assert "fake" in shown
    assert shown.replace("\n", "").isprintable()


def test_an_output_that_knows_few_characters_ends_no_command(folder, server):
    command = "from cotpd.cli.main import main; main()", "llm", "ask", "\u65e5\u672c", "--kind", "noun"
    narrow = os.environ | {"PYTHONIOENCODING": "ascii"}
    completed = subprocess.run(
        [sys.executable, "-c", *command], env=narrow, capture_output=True, text=True, check=False, timeout=120
    )
    assert completed.returncode == 0, completed.stderr
    assert "from the ledger" in completed.stdout or "asked" in completed.stdout


def test_a_question_that_fails_says_why(folder, server):
    server.always = build_error(400, message="context too long")
    with pytest.raises(LlmError, match="context too long"):
        run(llm_commands.app, "ask", "x")


def test_pruned_answers_go_into_a_file_that_brings_them_back(folder, llm_params):
    ask_all(build_questions("a", "b"), llm_params, progress=False)
    with Ledger(llm_params.ledger) as ledger:
        before = list(ledger.iterate_entries())
    with pytest.raises(LlmError, match="nothing says which"):
        run(ledger_commands.app, "prune", "old.jsonl")
    assert "0 answers would go" in run(ledger_commands.app, "prune", "old.jsonl", "--model", "another")
    assert "0 answers would go" in run(ledger_commands.app, "prune", "old.jsonl", "--before", "2020-01-01")
    assert "2 answers would go" in run(ledger_commands.app, "prune", "old.jsonl", "--model", llm_params.model)
    result = CliRunner().invoke(ledger_commands.app, ["prune", "old.jsonl", "--before", "yesterday"])
    assert result.exit_code == 2
    chosen = ("old.jsonl", "--model", "fake-1", "--before", "2999-01-01")
    assert "2 answers would go" in run(ledger_commands.app, "prune", *chosen)
    assert "2 answers moved" in run(ledger_commands.app, "prune", *chosen, "--yes")
    with pytest.raises(LlmError, match="is there already"):
        run(ledger_commands.app, "prune", *chosen, "--yes")
    assert "0 answers in" in run(ledger_commands.app, "stats")
    run(ledger_commands.app, "import", "old.jsonl")
    with Ledger(llm_params.ledger) as ledger:
        assert list(ledger.iterate_entries()) == before


def test_what_is_pruned_is_on_the_disk_before_it_leaves_the_ledger(folder, llm_params, monkeypatch):
    ask_all(build_questions("a"), llm_params, progress=False)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda opened: synced.append(os.fstat(opened).st_ino))
    removed = []
    monkeypatch.setattr(Ledger, "remove", lambda self, keys: removed.append((list(synced), len(keys))))
    run(ledger_commands.app, "prune", "old.jsonl", "--model", "fake", "--yes")
    assert removed == [([Path("old.jsonl").stat().st_ino, folder.stat().st_ino], 1)]


def test_an_export_that_cannot_be_written_leaves_nothing_behind_and_the_ledger_as_it_is(
    folder, llm_params, monkeypatch
):
    ask_all(build_questions("a"), llm_params, progress=False)

    def full(opened: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"old\.jsonl: could not be written: the disk is full"):
        run(ledger_commands.app, "prune", "old.jsonl", "--model", "fake", "--yes")
    assert not list(folder.glob("old.jsonl*"))
    assert "1 answer in" in run(ledger_commands.app, "stats")


@pytest.mark.parametrize(
    ("target", "message"), [("ledger.db", "is a database"), (".", "is a folder"), ("pipe", "is a device or pipe")]
)
def test_a_slip_replaces_no_ledger(folder, llm_params, target, message):
    os.mkfifo("pipe")
    ask_all(build_questions("a"), llm_params, progress=False)
    with pytest.raises(DataError, match=message):
        run(ledger_commands.app, "export", target)
    assert "1 answer in" in run(ledger_commands.app, "stats")


def test_an_export_to_a_link_goes_where_it_leads(folder, llm_params):
    ask_all(build_questions("a"), llm_params, progress=False)
    (folder / "deep").mkdir()
    Path("link.jsonl").symlink_to("deep/a.jsonl")
    for _ in range(2):
        run(ledger_commands.app, "export", "link.jsonl")
        assert Path("link.jsonl").is_symlink()
    assert "1 new" in run(ledger_commands.app, "import", "deep/a.jsonl", "--ledger", "b.db")


def test_only_an_import_makes_a_ledger_and_home_is_found_by_its_sign(folder, llm_params, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "home"))
    for address in ("none.db", "sqlite:///none.db", "~/l.db", "sqlite:///~/l.db"):
        with pytest.raises(LlmError, match="no ledger yet"):
            run(ledger_commands.app, "stats", "--ledger", address)
    assert not (folder / "none.db").exists()
    ask_all(build_questions("a"), llm_params, progress=False)
    run(ledger_commands.app, "export", "a.jsonl")
    run(ledger_commands.app, "import", "a.jsonl", "--ledger", "sqlite:///~/l.db")
    assert (folder / "home" / "l.db").is_file()
    assert not (folder / "~").exists()
    assert "1 answer in" in run(ledger_commands.app, "stats", "--ledger", "~/l.db")


def test_a_ledger_is_counted_exported_imported_and_verified(folder, llm_params):
    with pytest.raises(LlmError, match="no ledger yet"):
        run(ledger_commands.app, "stats")
    ask_all(build_questions("a", "b"), llm_params, progress=False)
    assert "fake-1: 2 answers, 22 tokens read, 6 written" in run(ledger_commands.app, "stats")
    assert "2 answers written" in run(ledger_commands.app, "export", "a.jsonl")
    assert "2 new, 0 known, 0 bad" in run(ledger_commands.app, "import", "a.jsonl", "--ledger", "b.db")
    assert "0 new, 2 known, 0 bad" in run(ledger_commands.app, "import", "a.jsonl")
    assert "sound" in run(ledger_commands.app, "verify", "--ledger", "b.db")
    Path("a.jsonl").write_text(Path("a.jsonl").read_text().replace('"ask": "a"', '"ask": "c"'))
    with pytest.raises(DataError, match=r"a\.jsonl:"):
        run(ledger_commands.app, "import", "a.jsonl", "--ledger", "c.db")
    assert "1 answer in" in run(ledger_commands.app, "stats", "--ledger", "c.db")


def test_the_catalogue_is_listed_and_an_unknown_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path))
    assert "qwen2.5-coder-1.5b-instruct" in run(model_commands.app, "list")
    with pytest.raises(ModelError, match="did you mean all-mpnet-base-v2"):
        run(model_commands.app, "fetch", "all-mpnet-base")


def test_a_port_that_is_taken_is_said(server, tmp_path):
    pytest.importorskip("xllamacpp")
    port = int(server.base_url.split(":")[2].split("/")[0])
    with pytest.raises(LlmError, match=f"port {port} .* is taken"):
        LocalServer("qwen2.5-coder-1.5b-instruct", port=port)


def test_serving_without_the_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(LlmError, match=r"pip install 'cotpd\[server\]'"):
        LocalServer("qwen2.5-coder-1.5b-instruct", port=0)


def test_what_is_no_chat_model_is_refused(tmp_path):
    pytest.importorskip("xllamacpp")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match="not a chat model"):
        LocalServer(str(tmp_path / "notes.txt"), port=0)
    with pytest.raises(ModelError, match="no such model"):
        LocalServer("gpt", port=0)


@pytest.mark.slow
def test_a_served_model_answers_under_its_name(tmp_path):
    pytest.importorskip("xllamacpp")
    names = ("qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct")
    name = next((name for name in names if find_cached(get_model(name))), None)
    if name is None:
        pytest.skip("no chat model in the cache: cotpd models fetch qwen2.5-coder-0.5b-instruct")
    server = LocalServer(name, port=0, parallel=2, threads=1)
    try:
        llm_params = LlmParams(
            base_url=server.base_url, model=name, ledger=str(tmp_path / "l.db"), recorded=None, timeout=600
        )
        result = ask_all(build_questions("Say yes.", "Say no."), llm_params, progress=False)
    finally:
        server.stop()
    assert [answer.model for answer in result.answers] == [name, name]
    assert all(answer.text for answer in result.answers)
