"""A window is read from whatever was scored, and a profile holds no text."""

import json
from pathlib import Path

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.errors import ConfigError, DataError
from cotpd.monitoring.observations import build_vocabulary, describe_post, draw_sample, list_words
from cotpd.monitoring.reference_profile import ReferenceProfile
from cotpd.monitoring.scored_window import WindowFile
from cotpd.scoring.columns import ColumnNames
from tests.builders import build_post, write_jsonl
from tests.scoring.doubles import CapitalPredictor, build_model, build_rows, score, write_rows

VOCABULARY = build_vocabulary(["post by Ada"])
EIGHT = "Ada met Zoë by post by post by chance"


def read_window(path: Path, task="ner", model=None, **columns):
    return WindowFile(path, ColumnNames(**columns), task).read(VOCABULARY, model)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv", "tsv.gz"])
def test_the_output_of_batch_scoring_is_read_with_its_model(tmp_path: Path, suffix: str):
    rows = [*build_rows(3), {"id": "x", "text": "", "likes": 0}]
    score(write_rows(tmp_path / "posts.csv", rows), tmp_path / f"spans.{suffix}", prefix="p_")

    window = read_window(tmp_path / f"spans.{suffix}", prefix="p_")

    assert [post.types for post in window.observations] == [{"PER": 1}] * 3 + [{}]
    assert [post.score for post in window.observations] == [0.5, 0.5, 0.5, None]
    assert [post.words for post in window.observations] == [3, 3, 3, 0]
    assert (window.rows, window.unreadable, window.notes["version"]) == (4, 0, "3")


def test_rows_without_a_prediction_are_counted_and_left_out(tmp_path: Path):
    path = write_jsonl(
        tmp_path / "window.jsonl",
        [
            {"text": "Ada", "entities": [{"type": "PER", "score": 0.9}]},
            {"text": "Ada", "entities": [], "error": "text is missing"},
            {"text": None, "entities": []},
            {"text": "Ada", "entities": "no list"},
            {"text": "Ada", "entities": [{"type": 1}]},
            {"text": "Ada"},
        ],
    )

    window = read_window(path)

    assert (len(window.observations), window.rows, window.unreadable) == (1, 6, 5)


def test_relations_are_read_by_label(tmp_path: Path):
    path = write_jsonl(
        tmp_path / "window.jsonl", [{"text": "Ada", "label": "member", "score": 0.7}, {"text": "Bob"}]
    )

    window = read_window(path, "re")

    assert [(post.types, post.score) for post in window.observations] == [({"member": 1}, 0.7)]
    assert window.unreadable == 1


def test_posts_without_predictions_are_scored(tmp_path: Path):
    path = write_jsonl(tmp_path / "window.jsonl", [{"text": "Ada and Bob"}, {"text": 1}])
    source = WindowFile(path, ColumnNames(), "ner")

    window = source.read(VOCABULARY, build_model())

    assert not source.is_scored
    assert [post.types for post in window.observations] == [{"PER": 2}]
    assert (window.unreadable, window.notes["model"]) == (1, "cotpd-ner")


def test_answers_that_the_server_keeps_are_read_here_and_by_the_check_of_data(tmp_path: Path):
    rows = [
        {
            "id": f"p{number}",
            "text": "Ada works",
            "entities": [{"start": 0, "end": 3, "type": "PER"}],
            "scores": [0.4],
            "model": "cotpd-ner",
            "version": "3",
        }
        for number in range(3)
    ]
    path = write_jsonl(tmp_path / "train.jsonl", rows)

    window = read_window(path)
    dataset = load_dataset(DataParams(path=str(tmp_path)))

    assert len(window.observations) == len(dataset.posts["train"]) == 3
    assert not dataset.quarantine


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nowhere.csv", ConfigError, "no such file"),
        ("a.txt", ConfigError, "format"),
        ("b.jsonl", DataError, "no column"),
    ],
)
def test_a_file_that_is_no_window_is_refused(tmp_path: Path, name: str, error, message: str):
    for path in ("a.txt", "b.jsonl"):
        (tmp_path / path).write_text('{"body": "Ada"}\n')

    with pytest.raises(error, match=message):
        read_window(tmp_path / name)


def test_words_are_neither_numbers_nor_handles_nor_addresses():
    words = list_words("Ada's 3 cats @bob https://x.y #NASA ☕ Zoë 2nd")

    assert words == ["ada", "'s", "cats", "nasa", "zoë", "2nd"]


def test_unseen_words_are_counted_among_the_first_eight_of_posts_that_have_them():
    long, short = (
        describe_post(EIGHT, {"entities": None}, VOCABULARY),
        describe_post("Ada met Zoë", {"entities": None}, VOCABULARY),
    )

    assert (long.words, long.unseen) == (9, 2)
    assert (short.words, short.unseen) == (3, None)


def test_a_sample_of_a_large_window_is_fair_and_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cotpd.monitoring.observations.MOST_POSTS", 100)

    sample, count = draw_sample(iter(range(10_000)))

    assert (len(sample), count) == (100, 10_000)
    assert 3500 < sum(sample) / 100 < 6500


def test_a_profile_holds_no_text_and_comes_back_as_it_was(tmp_path: Path):
    train = [build_post("[Ada](PER) lives in secretville")]
    valid = [build_post("[Ada](PER) met [Bob](PER) in ada lives in rome", id=str(number)) for number in range(3)]

    profile = ReferenceProfile.build(build_model(CapitalPredictor()), train, valid)
    profile.write(tmp_path / "profile.json")

    assert "secretville" not in (tmp_path / "profile.json").read_text()
    assert ReferenceProfile.read(tmp_path / "profile.json") == profile
    assert [post.unseen for post in profile.observations] == [3, 3, 3]
    assert profile.observations[0].types == {"PER": 2}


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", json.dumps({"task": "ner", "model": {}, "vocabulary": "no"})]
)
def test_a_profile_that_was_edited_is_refused(tmp_path: Path, content: str):
    (tmp_path / "profile.json").write_text(content)

    with pytest.raises(DataError, match=r"profile\.json: no profile"):
        ReferenceProfile.read(tmp_path / "profile.json")
