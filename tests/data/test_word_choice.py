"""Which rule a data set gets, why, and what becomes of mentions that another rule would represent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cotpd.data.load import Dataset
from cotpd.data.records import WordSplitting
from tests.builders import read_markup, write_jsonl
from tests.data.languages import LANGUAGES, Language

Load = Callable[..., Dataset]


def build_row(markup: str, number: int = 0) -> dict[str, Any]:
    text, spans = read_markup(markup)
    entities = [{"start": start, "end": end, "type": label} for start, end, label in spans]
    return {"id": str(number), "text": text, "entities": entities}


def write_posts(folder: Path, *markups: str, split: str = "train") -> None:
    write_jsonl(folder / f"d/{split}.jsonl", [build_row(markup, number) for number, markup in enumerate(markups)])


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_a_language_gets_the_rule_that_represents_its_mentions_and_keeps_them(
    tmp_path: Path, load: Load, language: Language
):
    write_posts(tmp_path, language.markup)

    dataset = load(path="d")

    [post] = dataset.posts["train"]
    text, spans = read_markup(language.markup)
    assert dataset.words.rule == language.rule
    assert "|".join(post.tokens) == language.words
    assert [post.get_mention(entity) for entity in post.entities] == [text[start:end] for start, end, _ in spans]


def test_mentions_inside_words_move_the_choice_to_a_finer_rule(tmp_path: Path, load: Load):
    write_posts(tmp_path, *["[Ada](PER) left [Rome](LOC)"] * 40, "the [Paris](LOC)-based firm")

    dataset = load(path="d")

    assert dataset.words.rule == "syllables"
    assert dataset.stats["words"]["representable"] == {
        "social": 80, "syllables": 81, "characters": 81, "whitespace": 80,
    }  # fmt: skip
    assert "81 of 81 mentions, social 80" in dataset.stats["words"]["reason"]


def test_one_odd_mention_among_hundreds_moves_nothing_and_names_the_rule_that_fits(tmp_path: Path, load: Load):
    write_posts(tmp_path, *["[Ada](PER) left [Rome](LOC)"] * 100, "the [Paris](LOC)-based firm")

    dataset = load(path="d")

    assert dataset.words.rule == "social"
    assert "The rule syllables fits it (data.words)." in dataset.quarantine[0].remedy


def test_a_mention_that_no_rule_represents_is_counted_and_refused(tmp_path: Path, load: Load):
    write_posts(tmp_path, "[Ada](PER) left", "in [Rom](LOC)e")

    dataset = load(path="d")

    assert dataset.words.rule == "social"
    assert (dataset.stats["words"]["mentions"], dataset.stats["words"]["representable"]["characters"]) == (2, 1)
    assert "data.words" not in dataset.quarantine[0].remedy


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        # those that a rule makes as well
        (["Ada", "left", "Rome", "."], WordSplitting()),
        (["李", "雷", "在", "北", "京"], WordSplitting(rule="characters", text_rule="characters")),
        # those of a segmenter that no rule has
        (["李雷", "在", "北京"], WordSplitting(rule="given", text_rule="characters", agreement=0.3333)),
        (["Ada", "left", "Rome."], WordSplitting(rule="whitespace", text_rule="whitespace")),
    ],
)
def test_words_that_come_with_the_data_stay_and_their_nearest_rule_is_told(
    tmp_path: Path, load: Load, tokens: list[str], words: WordSplitting
):
    entity = {"start": 0, "end": 1, "type": "PER"}
    write_jsonl(tmp_path / "d/train.jsonl", [{"id": "1", "tokens": tokens, "entities": [entity]}])

    dataset = load(path="d")

    assert list(dataset.posts["train"][0].tokens) == tokens
    assert dataset.words == words


def test_a_rule_that_is_named_splits_words_that_came_with_the_data_anew(tmp_path: Path, load: Load):
    entity = {"start": 0, "end": 1, "type": "PER"}
    row = {"tokens": ["李雷", "在", "北京"], "entities": [entity]}
    odd = {
        "tokens": ["Ada", "Lovelace"],
        "entities": [{"start": 0, "end": 1, "type": "PER"}],
        "text": "AdaLovelace",
    }
    write_jsonl(tmp_path / "d/train.jsonl", [row | {"id": "1"}, odd | {"id": "2"}])

    dataset = load(path="d", words="characters")

    [post] = dataset.posts["train"]
    assert (post.tokens, post.get_mention(post.entities[0])) == (("李", "雷", "在", "北", "京"), "李雷")
    assert (dataset.quarantine[0].line, dataset.words.rule) == (2, "characters")


def test_given_is_a_rule_for_data_that_a_rule_would_fit_too(tmp_path: Path, load: Load):
    write_jsonl(tmp_path / "d/train.jsonl", [{"id": "1", "tokens": ["Ada", "left"], "entities": []}])

    dataset = load(path="d", words="given")

    assert dataset.words == WordSplitting(rule="given", text_rule="social")


def test_every_split_is_read_by_the_rule_of_all_of_them(tmp_path: Path, load: Load):
    write_posts(tmp_path, "[지수](PER)는 왔다")
    write_jsonl(tmp_path / "d/test.jsonl", [build_row("[민수](PER) 왔다", 7)])

    dataset = load(path="d")

    assert dataset.posts["test"][0].tokens == ("민", "수", "왔", "다")
