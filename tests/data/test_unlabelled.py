"""Posts without labels: no label of theirs comes in, and no text that is labelled, least of all one to be tested on."""

import json
from pathlib import Path
from typing import Any

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.unlabelled import Unlabelled, load_unlabelled
from cotpd.errors import DataError

LABELLED = [
    {"id": "1", "text": "Ada visits London", "entities": [{"start": 0, "end": 3, "type": "PER"}]},
]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(root: Path, *sources: dict[str, Any]) -> Unlabelled:
    write(root / "mine/train.jsonl", LABELLED)
    write(root / "mine/test.jsonl", [{"id": "2", "text": "Grace  sails"}])
    params = DataParams.model_validate({"path": "mine", "unlabelled": sources})
    return load_unlabelled(params, load_dataset(params, root).posts, root)


def test_labels_are_left_at_the_door(tmp_path: Path) -> None:
    entities = [{"start": 0, "end": 4, "type": "PER"}, {"start": 11, "end": 16, "type": "LOC"}]
    relations = [{"head": 0, "tail": 1, "label": "/per/loc"}]
    write(tmp_path / "mine/more/train.jsonl", [{"id": "1", "text": "Emmy likes Göttingen", "entities": [
        {"start": 0, "end": 4, "type": "PER"}]}])  # fmt: skip
    write(tmp_path / "mine/pairs.jsonl", [
        {"id": "1", "text": "Emmy likes Paris", "entities": entities, "relations": relations}])  # fmt: skip

    unlabelled = read(tmp_path, {"path": "more"}, {"path": "pairs.jsonl"})

    plain, pair = unlabelled.posts
    assert plain.entities == ()
    assert [entity.type for entity in pair.entities] == [None, None]
    assert [relation.label for relation in pair.relations] == [""]
    assert "PER" not in plain.model_dump_json() + pair.model_dump_json()
    assert len({"1", "2", plain.id, pair.id}) == 4  # every table is keyed by id


def test_a_text_that_is_labelled_or_tested_on_is_left_out_and_every_other_is_taken_once(tmp_path: Path) -> None:
    texts = ["ada visits LONDON", "Grace sails", "Emmy sings", "Emmy  sings", "Lise swims"]
    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    write(tmp_path / "mine/more/train.jsonl", rows[:4])
    write(tmp_path / "mine/more/test.jsonl", rows[4:])

    unlabelled = read(tmp_path, {"path": "more"})

    assert [post.text for post in unlabelled.posts] == ["Emmy sings", "Lise swims"]
    assert unlabelled.stats == {"more": {"posts": 2, "left_out": 3}}


def test_pictures_are_found_from_the_folder_of_the_data(tmp_path: Path) -> None:
    write(tmp_path / "mine/more/train.jsonl", [{"id": "1", "text": "Emmy sings", "image": "images/a.jpg"}])
    (tmp_path / "mine/more/images").mkdir()
    (tmp_path / "mine/more/images/a.jpg").write_bytes(b"x")

    (post,) = read(tmp_path, {"path": "more"}).posts

    assert post.image == "more/images/a.jpg"
    assert (tmp_path / "mine" / post.image).is_file()


def test_what_cannot_be_read_is_quarantined_and_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/more.jsonl").write_text('{"id": "1", "text": "Emmy sings"}\n{"id": "2"}\n')

    unlabelled = read(tmp_path, {"path": "more.jsonl"})

    assert len(unlabelled.posts) == 1
    assert [row.line for row in unlabelled.quarantine] == [2]
    with pytest.raises(DataError, match="mine/absent: there is no such"):
        read(tmp_path, {"path": "absent"})
