"""A batch that is stopped on its way goes on where it was, and loses and repeats nothing."""

from pathlib import Path

import pytest

from cotpd.errors import ConfigError, DataError, StorageError
from cotpd.scoring.journal import lock_folder
from tests.scoring.doubles import (
    CapitalPredictor,
    build_model,
    build_rows,
    read_rows,
    score,
    write_rows,
)

ROWS = 40
SMALL = {"batch_size": 1}  # chunks of 16 rows


@pytest.mark.parametrize("suffix", ["jsonl", "csv.gz", "parquet"])
def test_a_run_that_is_stopped_goes_on_where_it_was_and_scores_no_row_twice(tmp_path: Path, suffix: str, capsys):
    source, output = write_rows(tmp_path / f"posts.{suffix}", build_rows(ROWS)), tmp_path / f"spans.{suffix}"
    first, second = CapitalPredictor(interrupt_at=20), CapitalPredictor()

    with pytest.raises(KeyboardInterrupt):
        score(source, output, build_model(first), **SMALL)
    missing = output.exists()
    result = score(source, output, build_model(second), **SMALL)

    assert not missing
    assert second.texts == [row["text"] for row in build_rows(ROWS)][16:]
    assert result.scored == ROWS - 16
    assert "16 rows are scored; the same command goes on from there" in capsys.readouterr().err
    score(source, tmp_path / f"whole.{suffix}")
    assert output.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()


def test_a_stop_between_the_first_commit_and_the_count_of_its_rows_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    source, output = write_rows(tmp_path / "posts.jsonl", build_rows(ROWS)), tmp_path / "spans.jsonl"
    journal = tmp_path / "spans.jsonl.scoring/predictions.jsonl"

    def stop_once_written(descriptor: int) -> None:
        if journal.is_file() and journal.stat().st_size:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cotpd.scoring.journal.os.fsync", stop_once_written)
        with pytest.raises(KeyboardInterrupt):
            score(source, output, **SMALL)

    result = score(source, output, **SMALL)

    assert result.scored == ROWS - 16
    assert "16 rows are scored; the same command goes on from there" in capsys.readouterr().err


def test_half_a_line_that_a_kill_has_left_is_scored_again(tmp_path: Path):
    source, output = write_rows(tmp_path / "posts.jsonl", build_rows(ROWS)), tmp_path / "spans.jsonl"
    with pytest.raises(KeyboardInterrupt):
        score(source, output, build_model(CapitalPredictor(interrupt_at=20)), **SMALL)
    journal = tmp_path / "spans.jsonl.scoring/predictions.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    second = CapitalPredictor()

    score(source, output, build_model(second), **SMALL)

    assert len(second.texts) == ROWS - 15
    assert [row["id"] for row in read_rows(output)] == [row["id"] for row in build_rows(ROWS)]


def test_zeros_that_a_power_cut_has_left_are_scored_again(tmp_path: Path):
    source, output = write_rows(tmp_path / "posts.jsonl", build_rows(ROWS)), tmp_path / "spans.jsonl"
    with pytest.raises(KeyboardInterrupt):
        score(source, output, build_model(CapitalPredictor(interrupt_at=20)), **SMALL)
    with (tmp_path / "spans.jsonl.scoring/predictions.jsonl").open("ab") as journal:
        journal.write(b"\0" * 100 + b"\n")

    result = score(source, output, **SMALL)

    assert result.scored == ROWS - 16
    assert len(read_rows(output)) == ROWS


@pytest.mark.parametrize("change", ["input", "model", "columns"])
def test_what_was_scored_of_something_else_is_refused_until_restart_is_said(tmp_path: Path, change: str):
    source, output = write_rows(tmp_path / "posts.jsonl", build_rows(ROWS)), tmp_path / "spans.jsonl"
    with pytest.raises(KeyboardInterrupt):
        score(source, output, build_model(CapitalPredictor(interrupt_at=20)), **SMALL)
    if change == "input":
        write_rows(source, build_rows(ROWS + 1))
    predictor = CapitalPredictor()
    model = build_model(predictor, "4" if change == "model" else "3")
    options = SMALL | ({"text": "id"} if change == "columns" else {})

    with pytest.raises(DataError, match=f"16 rows were scored before .*{change[:-1]}") as caught:
        score(source, output, model, **options)
    refused = len(predictor.texts)
    result = score(source, output, model, restart=True, **options)

    assert "--restart" in caught.value.remedy
    assert refused == 0
    assert result.scored == len(read_rows(output)) == ROWS + (change == "input")


def test_a_full_disk_costs_nothing_that_was_scored(tmp_path: Path, disk):
    folder, make_room = disk
    source = write_rows(tmp_path / "posts.jsonl", [{"text": "Ada " * 40}] * 100)
    output, predictor = folder / "spans.jsonl", CapitalPredictor()

    with pytest.raises(StorageError, match="the disk is full"):
        score(source, output, build_model(predictor), **SMALL)
    committed = len((folder / "spans.jsonl.scoring/predictions.jsonl").read_bytes().splitlines())
    make_room()
    result = score(source, output, **SMALL)

    assert committed > 0
    assert result.scored in (100 - committed, 101 - committed)  # the last line may be torn
    assert len(read_rows(output)) == 100


def test_only_one_process_scores_into_an_output(tmp_path: Path):
    source = write_rows(tmp_path / "posts.jsonl", build_rows(3))

    with (
        lock_folder(tmp_path / "spans.jsonl.scoring", "spans.jsonl"),
        pytest.raises(ConfigError, match="another process scores into it"),
    ):
        score(source, tmp_path / "spans.jsonl")


def test_an_input_that_grows_while_it_is_read_is_refused(tmp_path: Path):
    source = write_rows(tmp_path / "posts.jsonl", build_rows(ROWS))
    predictor = CapitalPredictor()
    predictor._count = lambda text: source.write_text(source.read_text() + '{"text": "late"}\n')

    with pytest.raises(DataError, match="has changed while it was read"):
        score(source, tmp_path / "spans.jsonl", build_model(predictor))

    assert not (tmp_path / "spans.jsonl").exists()
