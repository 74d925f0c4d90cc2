"""What is seen in a data set, and the parameters that follow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cotpd.data.params import DataParams
from cotpd.errors import DataError
from cotpd.scaffold.first_look import FirstLook, look_at_data
from cotpd.student.vocabulary import MULTILINGUAL
from tests.builders import write_jsonl

ENTITIES = [{"start": 0, "end": 3, "type": "PER"}, {"start": 11, "end": 16, "type": "LOC"}]
UNTYPED = [{"start": 0, "end": 3}, {"start": 11, "end": 16}]
RELATION = {"head": 0, "tail": 1, "label": "/per/loc/in"}
Write = Callable[..., Path]


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., FirstLook]:
    """Look at a folder with posts of the same annotation in each split."""

    def _look(*, task: str | None = None, splits: tuple[str, ...] = ("train", "valid", "test"), **row: Any):
        folder = tmp_path / "posts"
        for split in splits:
            texts = [f"Ada visits Paris, {split} {number}" for number in range(4)]
            rows = [{"id": f"{split}{n}", "text": text} | row for n, text in enumerate(texts)]
            write_jsonl(folder / f"{split}.jsonl", rows)
        return look_at_data(folder, task, DataParams(), "../posts")

    return _look


def test_text_alone_asks_no_model_and_reads_no_picture(look) -> None:
    glance = look(entities=ENTITIES)

    assert glance.values["task"] == "ner"
    assert glance.values["data"] == {"path": "../posts", "format": "jsonl"}
    assert glance.values["caption"] == {"backend": "none"}
    assert glance.values["ask"]["kinds"] == glance.values["augment"]["kinds"] == []
    assert glance.values["llm_row"]["enabled"] is False
    assert glance.facts["splits"] == "train 4, valid 4, test 4 posts"
    assert glance.facts["labels"] == "LOC, PER"
    assert glance.notes == []


@pytest.mark.parametrize(
    ("row", "task"),
    [
        ({"entities": ENTITIES}, "ner"),
        (
            {"entities": UNTYPED, "relations": [RELATION]},
            "re",
        ),
        ({"label": "positive", "entities": []}, "sentiment"),
    ],
)
def test_the_task_is_the_one_that_the_posts_are_annotated_for(look, row: dict[str, Any], task: str) -> None:
    glance = look(**row)

    assert glance.values["task"] == task


def test_a_second_annotation_is_named_and_can_be_asked_for(look) -> None:
    first, requested = (
        look(entities=ENTITIES, relations=[RELATION]),
        look(task="re", entities=ENTITIES, relations=[RELATION]),
    )

    assert any("cotpd init --task re" in note for note in first.notes)
    assert requested.values["task"] == "re"


def test_a_task_that_the_posts_are_not_annotated_for_is_refused(look) -> None:
    with pytest.raises(DataError, match="no training post is annotated for task re"):
        look(task="re", entities=ENTITIES)


def test_posts_without_annotation_are_refused(look) -> None:
    with pytest.raises(DataError, match="no training post is annotated"):
        look(entities=[])


def test_pictures_at_hand_are_read_and_missing_ones_are_not(look, write: Write, root: Path) -> None:
    missing = look(entities=ENTITIES, image="a.jpg")
    write("posts/images/a.jpg", next((root / "sample/images").iterdir()).read_bytes())
    at_hand = look(entities=ENTITIES, image="a.jpg")

    assert missing.values["caption"]["backend"] == "none"
    assert at_hand.values["caption"]["backend"] == "tags"
    assert at_hand.facts["pictures"] == "1 of 1 at hand; caption.backend tags"


def test_captions_and_answers_that_came_along_are_used(look) -> None:
    glance = look(entities=ENTITIES, caption="a woman", knowledge={"noun": "Ada: a mathematician"})

    assert glance.values["caption"]["backend"] == "dataset"
    assert any("answers of a language model come with the posts" in note for note in glance.notes)


def test_a_split_that_is_missing_is_said(look) -> None:
    glance = look(entities=ENTITIES, splits=("train", "valid"))

    assert "there is no test split: nothing is scored on it" in glance.notes
    assert "held_out" not in glance.values["data"]


def test_one_file_is_split(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"Ada visits Paris {n}", "entities": ENTITIES} for n in range(40)]
    path = write_jsonl(tmp_path / "export.jsonl", rows)

    glance = look_at_data(path, None, DataParams(), "../export.jsonl")

    assert glance.values["data"]["held_out"] == 0.1
    assert "data.held_out" in glance.facts["splits"]


def test_a_folder_of_documents_without_splits_is_split_too(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"Ada visits Paris {number}\n", "utf-8")
        (folder / f"{number}.ann").write_text("T1\tPER 0 3\tAda\n", "utf-8")

    glance = look_at_data(folder, None, DataParams(), "../export")

    assert glance.values["data"]["held_out"] == 0.1


def test_rows_that_cannot_be_used_are_counted_with_the_first_of_them(look, write: Write) -> None:
    look(entities=ENTITIES)
    write("posts/valid.jsonl", [{"id": "v1", "text": "Ada", "entities": [{"start": 0, "end": 2, "type": "PER"}]}])

    glance = look_at_data(write("posts/test.jsonl", "").parent, None, DataParams(), "x")

    assert any("rows are set aside; the first" in note and "valid.jsonl:1" in note for note in glance.notes)


def test_an_encoder_that_does_not_know_the_signs_gives_way_to_a_multilingual_one(look, monkeypatch) -> None:
    monkeypatch.setattr("cotpd.scaffold.first_look.measure_unknown_share", lambda *_: 0.8)

    glance = look(entities=ENTITIES)

    assert glance.values["student"] == {"encoder": MULTILINGUAL}
    assert glance.facts["encoder"] == MULTILINGUAL


@pytest.mark.parametrize(
    ("text", "is_other"), [("李雷今天到北京开会", True), ("Ада в Риме", True), ("Ada in Rom", False)]
)
def test_where_the_tokenizer_is_not_at_hand_the_script_chooses_the_encoder(
    tmp_path, monkeypatch, text, is_other
) -> None:
    monkeypatch.setattr("cotpd.scaffold.first_look.measure_unknown_share", lambda *_: None)

    rows = [{"id": str(number), "text": f"{text} {number}", "label": "calm"} for number in range(4)]
    glance = look_at_data(write_jsonl(tmp_path / "export.jsonl", rows), None, DataParams(), "x")

    assert glance.values.get("student") == ({"encoder": MULTILINGUAL} if is_other else None)


def test_a_folder_with_two_formats_is_refused_with_both_names(look, write: Write) -> None:
    look(entities=ENTITIES, splits=("train",))
    write("posts/valid.txt", "IMGID:1\nAda\tB-PER\n\n")

    with pytest.raises(DataError, match="formats jsonl and twitter"):
        look_at_data(write("posts/valid.txt", "IMGID:1\nAda\tB-PER\n\n").parent, None, DataParams(), "x")
