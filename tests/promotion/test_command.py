"""`cotpd promote`, as people and programs call it: exit status, table, JSON."""

import json
import re

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.errors import ConfigError
from cotpd.promotion.gate_verdict import RuleResult, Verdict
from cotpd.promotion.rules import GateRules
from cotpd.promotion.verdict_text import format_verdict_markdown

VERDICT_KEYS = {
    "format", "name", "challenger", "champion", "reference", "passed", "results", "confidence", "posts", "posts_sha256",
    "posts_count", "rules_source", "rules_sha256", "rules", "score_name", "backend", "notes",
}  # fmt: skip
RESULT_KEYS = {
    "rule", "subject", "status", "challenger", "champion", "difference", "low", "high", "bound", "support",
    "explanation",
}  # fmt: skip


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def champion(add_version, students):
    add_version(students["ner"])
    run("promote", "--force", "--reason", "the first")


@pytest.mark.usefixtures("champion")
def test_the_exit_status_says_what_a_dry_run_would_do_and_what_was_done(add_version, students, untrained):
    add_version(untrained)
    would_refuse, refused = run("promote", "--dry-run"), run("promote", "cotpd-ner")
    add_version(students["ner"])
    would_promote, promoted = run("promote", "--dry-run"), run("registry", "promote", "--version", "3")

    assert [result.exit_code for result in (would_refuse, refused, would_promote, promoted)] == [3, 3, 0, 0]
    assert "version 2 would be refused" in would_refuse.stdout
    assert "failed: types: ORG: F1 0.00 against 100.00: -100.00" in refused.stdout
    assert "refused: models:/cotpd-ner@champion stays version 1" in refused.stdout
    assert "version 3 would become champion" in would_promote.stdout
    assert "models:/cotpd-ner@champion is version 3, after version 1" in promoted.stdout
    assert run("promote").stdout == "version 3 is champion already; nothing was changed\n"


@pytest.mark.usefixtures("champion")
def test_json_has_the_documented_keys_and_nothing_else_is_printed(add_version, students, root):
    add_version(students["ner"])

    result = run("promote", "--json")

    promotion = json.loads(result.stdout)
    assert set(promotion) == {"outcome", "name", "version", "champion", "reason", "verdict"}
    assert set(promotion["verdict"]) == VERDICT_KEYS
    assert {frozenset(row) for row in promotion["verdict"]["results"]} == {frozenset(RESULT_KEYS)}
    assert promotion["outcome"] == "promoted"
    page = (root / "docs/promote.md").read_text()
    assert [key for key in sorted(VERDICT_KEYS | RESULT_KEYS | set(promotion)) if f"`{key}`" not in page] == []


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--require", "best"), "there is no such requirement"),
        (("--to", "previous"), "moves the alias champion alone"),
        (("--force",), "forced for a reason"),
        (("--rules", "nowhere.yaml"), "nowhere.yaml: there is no such file"),
    ],
)
def test_an_option_that_means_nothing_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        run("promote", *arguments)


@pytest.mark.usefixtures("champion")
def test_a_version_in_place_of_the_name_is_explained():
    with pytest.raises(ConfigError, match="Write --version 3"):
        run("registry", "promote", "3")


def test_markdown_of_a_verdict_holds_the_table_and_no_markup_of_a_type():
    hostile = "<img src=x onerror=alert(1)>|[a](http://b)"
    results = (
        RuleResult(
            rule="types", subject=hostile, status="failed", difference=-0.2, low=-0.3, high=-0.1, bound=-0.05
        ),
        RuleResult(rule="time", status="passed", challenger=1.5, champion=1.0, difference=1.5, bound=2.0),
    )
    verdict = Verdict(
        name="n", challenger=2, champion=1, reference="models:/n/1", passed=False, results=results, confidence=0.95,
        posts="test.jsonl", posts_sha256="a" * 64, posts_count=7, rules_source="r", rules_sha256="b" * 64,
        rules=GateRules().model_dump(), notes=("a note",),
    )  # fmt: skip

    text = format_verdict_markdown(verdict)

    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.replace("\\|", "").count("|") for line in table} == {9}
    assert "<img" not in text
    assert not re.search(r"(?<!\\)\]\(http", text)  # an escaped bracket begins no link
    assert "-20.00" in text.replace("\\", "")
    assert "a note" in text
