"""The model card: its sections, what it lacks, and that nothing in it becomes markup."""

import re
from dataclasses import replace

import pytest
import yaml

from cotpd.escaping import escape_markdown
from cotpd.registry.model_card import (
    CARD,
    HEAD,
    LONGEST_DESCRIPTION,
    SECTIONS,
    CardFacts,
    Figure,
    TableFacts,
    list_missing_sections,
    render_card,
    shorten_card,
)

FACTS = CardFacts(
    title="Named entities",
    pipeline_tag="token-classification",
    labels=("LOC", "PER"),
    encoder="sentence-transformers/all-MiniLM-L6-v2",
    licence="Apache-2.0",
    data="sample",
    metrics={
        "test": {
            "student": {"precision": 0.5, "recall": 0.75, "f1": 0.6},
            "gain": {"f1": 0.01, "low": -0.002, "high": 0.03},
        }
    },
    figures=[
        Figure("test", "student", "all", "", 90, 0.6, 0.5, 0.7),
        Figure("test", "student", "type", "LOC", 70, 0.7, 0.6, 0.8),
        Figure("test", "student", "type", "PER", 20, 0.4, 0.2, 0.6),
        Figure("test", "student", "slice", "long posts", 45, 0.55, 0.4, 0.7),
    ],
    minimum_support=30,
    intended_use="Finding named entities in short posts.",
    limits=["Scores are of one run."],
    tables=[TableFacts("train.jsonl", 12, "ab" * 32)],
    cost=[("tokens", "1,234")],
    settings=[("seed", 13)],
    commands=["dvc repro"],
)
TAGS = {"git.commit": "c0ffee", "git.dirty": "true", "prompt.cotpd-default-noun": "3"}
HOSTILE = "<img src=x onerror=alert(1)> [a](http://b) | `c` **d**\n# e\n---\n\u202e www.f.gh {{ 7*7 }} \ud800"


def test_a_card_of_all_facts_lacks_nothing_and_shows_them():
    card = render_card("cotpd-ner", FACTS, TAGS)

    assert list_missing_sections(card) == []
    assert "| test | student | 50.00 | 75.00 | 60.00 (50.00 to 70.00) |" in card
    assert "| test | PER | 20\\* | 40.00 (20.00 to 60.00) |" in card
    assert "| test | long posts | 45 | 55.00 (40.00 to 70.00) |" in card
    assert "Commit c0ffee, with uncommitted changes" in card
    assert "| cotpd-default-noun | 3 |" in card


def test_scores_without_an_interval_are_shown_as_they_are():
    scores = {
        "student": {"precision": 0.5, "recall": 0.75, "f1": 0.6},
        "baseline": {"f1": 0.5},
        "gain": {"f1": 0.1},
    }

    card = render_card("cotpd-ner", replace(FACTS, metrics={"test": scores}, figures=()), TAGS)

    assert "| test | student | 50.00 | 75.00 | 60.00 |" in card
    assert "Gain over" not in card


def test_the_head_is_what_the_hub_reads():
    head = yaml.safe_load(render_card("cotpd-ner", FACTS, TAGS).split("---\n")[1])

    (result,) = head["model-index"][0]["results"]
    assert head["license"] == "apache-2.0"
    assert (head["pipeline_tag"], head["base_model"]) == (FACTS.pipeline_tag, FACTS.encoder)
    assert result["metrics"][0] == {"type": "f1", "name": "f1", "value": 0.6}
    assert result["dataset"]["split"] == "test"


@pytest.mark.parametrize(
    ("unknown", "missing"),
    [
        ({"metrics": {}}, [HEAD, "Scores"]),
        ({"figures": FACTS.figures[:3]}, ["Scores by slice"]),
        ({"figures": ()}, ["Scores by type", "Scores by slice"]),
        ({"intended_use": ""}, ["Intended use"]),
        ({"limits": ()}, ["Limits"]),
        ({"tables": ()}, ["Data"]),
        ({"cost": ()}, ["Cost"]),
        ({"licence": ""}, [HEAD, "Licence"]),
        ({"commands": ()}, ["How to reproduce"]),
    ],
)
def test_a_section_of_which_nothing_is_known_is_named_as_missing(unknown, missing):
    card = render_card("cotpd-ner", replace(FACTS, **unknown), TAGS)

    assert list_missing_sections(card) == missing


def test_no_card_and_a_card_of_headings_alone_lack_everything():
    headings = "".join(f"## {title}\n\n" for title in SECTIONS)

    assert list_missing_sections("") == [HEAD, *SECTIONS]
    assert list_missing_sections(headings) == [HEAD, *SECTIONS]
    assert list_missing_sections("---\n[\n---\n" + headings) == [HEAD, *SECTIONS]


def build_hostile_facts():
    figures = [Figure("test", "student", part, HOSTILE, 5, 0.5, 0.4, 0.6) for part in ("type", "slice")]
    return replace(
        FACTS,
        labels=[HOSTILE],
        encoder=HOSTILE,
        licence=HOSTILE,
        data=HOSTILE,
        figures=figures,
        metrics={HOSTILE: {HOSTILE: FACTS.metrics["test"]["student"]}},
        intended_use=HOSTILE,
        limits=[HOSTILE],
        tables=[TableFacts(HOSTILE, 1, HOSTILE)],
        cost=[(HOSTILE, HOSTILE)],
        settings=[(HOSTILE, HOSTILE)],
        commands=[HOSTILE],
    )


def test_no_name_label_or_path_becomes_markup_in_the_card():
    card = render_card(HOSTILE, build_hostile_facts(), {f"prompt.{HOSTILE}": HOSTILE, "git.commit": HOSTILE})

    _, head, body = card.split("---\n", 2)
    text = re.sub(r"```.*?```", "", body, flags=re.DOTALL)  # a block of code shows what is in it as it stands
    unescaped = re.sub(r"\\[\\`*_{}\[\]#+!~=|:$.)-]", "", text)
    assert not re.search(r"<|`|\[a|http:|www\.|\*\*d|\{\{|49", unescaped)
    assert set(re.findall(r"^#+ .*$", text, re.MULTILINE)[1:]) == {f"## {title}" for title in SECTIONS}
    assert [line for line in body.split("\n") if line.startswith("```")] == ["```console", "```"]
    assert yaml.safe_load(head)["pipeline_tag"] == FACTS.pipeline_tag
    assert not re.search(r"<|`|\[a|http:|\*\*d|\{\{", head)
    assert "\u202e" not in card
    assert "\ud800" not in card


@pytest.mark.parametrize(
    "text", ["# a", "- a", "+ a", "1. a", "23) a", "> a", "    a", "=====", "---", "\ta", "```"]
)
def test_a_text_at_the_beginning_of_a_line_makes_no_block(text):
    escaped = escape_markdown(text)

    assert not re.match(r"[#+>=`~*\s-]|\d+[.)]", escaped)


def test_numbers_and_plain_names_stay_readable():
    text = "all-MiniLM-L6-v2, 3.5 % (2 of 57)"

    assert escape_markdown(text) == text


def test_a_description_has_whole_sections_and_fits_the_database():
    settings = [(f"section.key{number}", "x" * 50) for number in range(200)]
    card = render_card("cotpd-ner", replace(FACTS, settings=settings), TAGS)

    description = shorten_card(card)

    assert len(card) > LONGEST_DESCRIPTION >= len(description)
    assert description.startswith("# cotpd-ner")
    assert "## Licence" in description
    assert "How to reproduce" not in description
    assert CARD in description
    assert shorten_card(render_card("cotpd-ner", FACTS, TAGS)).rstrip().endswith("| seed | 13 |")


def test_the_heading_holds_the_score_that_a_list_of_versions_shows():
    row = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "macro_f1": 0.5}
    scores = {"student": row, "baseline": row | {"f1": 0.45}}

    card = render_card("cotpd-ner", replace(FACTS, metrics={"test": scores, "valid": {}}), TAGS)

    assert "\n# cotpd-ner, F1 50.00 on test, baseline 45.00\n" in card
