"""`cotpd show` explains each file of a run that was edited to something else, or is missing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.findings import print_scores
from cotpd.cli.main import app
from cotpd.errors import DataError
from cotpd.escaping import SafeConsole

SCORES = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "macro_f1": 0.5, "accuracy": 0.5}
FILES = {
    "reports/evaluation/scores.json": {"test": {"baseline": SCORES, "student": SCORES}},
    "reports/registered.json": {
        "name": "cotpd-ner",
        "alias": "challenger",
        "uri": "models:/cotpd-ner/1",
        "version": 1,
    },
    "models/student/student.json": {"labels": {"task": "ner"}},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(value))
    return tmp_path


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", '{"a": 1}', '{"test": {"student": {"f1": "x"}}}', "[" * 99_999]
)
def test_an_edited_file_is_named_with_what_writes_it_again(project: Path, name: str, content: str) -> None:
    (project / name).write_text(content)

    result = CliRunner().invoke(app, ["show"])

    assert isinstance(result.exception, DataError), result.exception
    assert result.exception.problem.startswith(f"{name}: ")
    assert "dvc repro" in result.exception.remedy


BUCKET = {"split": "test", "row": "student", "against": "baseline", "posts": 40, "mentions": 60}
BUCKET |= {"score": 71.5, "score_against": 70.0, "difference": 1.5}
BUCKETS = [
    {**BUCKET, "by": "picture", "bucket": "with", "low": 0.5, "high": 2.5, "p_value": 0.01, "p_holm": 0.02},
    {**BUCKET, "by": "picture", "bucket": "without", "note": "too few"},
    {
        **BUCKET,
        "by": "knowledge",
        "bucket": "[red]with\x1b[31m",
        "low": -0.5,
        "high": 3.5,
        "p_value": 0.2,
        "p_holm": 0.2,
    },
    {**BUCKET, "split": "valid", "by": "picture", "bucket": "of another split"},
]


def test_buckets_are_shown_with_their_intervals_and_where_a_row_gains(project: Path) -> None:
    rows = sorted(BUCKETS, key=lambda row: row["split"] == "test")
    (project / "reports/evaluation/buckets.json").write_text(json.dumps(rows))

    output = CliRunner().invoke(app, ["show", "--buckets"]).output

    assert "student over baseline, test" in output
    assert "+0.50 to +2.50" in output
    assert "too few" in output
    assert "(Holm): picture: with (+1.50)." in output
    assert "[red]with" in output
    assert "\x1b" not in output
    assert "of another split" not in output


def test_the_cross_check_of_a_gain_and_the_label_repair_are_named(project: Path) -> None:
    gain = {"f1": 0.01, "low": 0.0, "high": 0.02, "p_value": 0.041, "p_randomised": 0.052, "resamples": 1000}
    rows = {"baseline": SCORES, "student": {**SCORES, "label_repair": "conlleval"}, "gain": gain}
    (project / "reports/evaluation/scores.json").write_text(json.dumps({"test": rows}))

    output = CliRunner().invoke(app, ["show"]).output

    assert "approximate randomisation, student on test: over baseline p = 0.052" in output
    assert "label repair conlleval: an I- that continues nothing opens a mention" in output


def test_diagnoses_are_printed_with_evidence_and_remedy(project: Path) -> None:
    finding = {
        "code": "alignment",
        "split": "test",
        "title": "Far below",
        "evidence": "+8.00 [b]",
        "remedy": "Raise it.",
    }
    (project / "reports/evaluation/diagnoses.json").write_text(json.dumps([finding]))

    output = CliRunner().invoke(app, ["show"]).output

    assert "- Far below (test)\n  +8.00 [b]\n  Raise it.\n" in output


@pytest.mark.parametrize("options", [[], ["--buckets"]])
def test_json_holds_diagnoses_and_the_buckets_that_were_asked_for(project: Path, options: list[str]) -> None:
    (project / "reports/evaluation/buckets.json").write_text(json.dumps(BUCKETS))

    figures = json.loads(CliRunner().invoke(app, ["show", "--json", *options]).output)

    assert figures["diagnoses"] == []
    assert len(figures.get("buckets", [])) == len(BUCKETS) * len(options)


def test_a_damaged_file_of_diagnoses_is_named(project: Path) -> None:
    (project / "reports/evaluation/diagnoses.json").write_text('[{"code": 1}]')

    result = CliRunner().invoke(app, ["show"])

    assert isinstance(result.exception, DataError)
    assert "diagnoses.json" in result.exception.problem


def test_without_the_option_no_buckets_are_read(project: Path) -> None:
    output = CliRunner().invoke(app, ["show"]).output

    assert "over baseline" not in output


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"split": "test"}]'])
def test_a_damaged_file_of_buckets_is_named(project: Path, content: str) -> None:
    (project / "reports/evaluation/buckets.json").write_text(content)

    result = CliRunner().invoke(app, ["show", "--buckets"])

    assert isinstance(result.exception, DataError), result.exception
    assert "buckets.json" in result.exception.problem
    assert "dvc repro" in result.exception.remedy


@pytest.mark.parametrize(("width", "shows_precision"), [(80, False), (200, True)])
def test_no_figure_is_cut_on_a_narrow_terminal(width: int, shows_precision: bool) -> None:
    gain = {"f1": 0.25, "low": -0.125, "high": 0.5, "p_value": 0.0001, "p_randomised": 0.5}
    metrics = {
        "test": {"baseline": SCORES, "student": SCORES, "llm": SCORES, "gain": gain, "llm_zero_shot_gain": gain}
    }
    console = SafeConsole(force_terminal=True, width=width, color_system=None)

    with console.capture() as capture:
        print_scores(console, metrics, "ner")

    text = capture.get()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "student over LLM, zero-shot" in text
    assert "+25.00" in text
    assert "-12.50 to +50.00" in text
    assert "< 0.001" in text
    assert ("precision" in text) is shows_precision


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(project: Path, name: str) -> None:
    (project / name).unlink()

    result = CliRunner().invoke(app, ["show"])

    assert isinstance(result.exception, DataError)
    assert name in result.exception.problem
