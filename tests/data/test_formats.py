"""Files of annotation tools, of our own text, are recognised by their contents and read as the tool meant them.

Each file of `tests/data/formats` holds the same two posts. docs/formats.md says which tool made which file, and
which were written by hand from a published schema.
"""

import shutil
from pathlib import Path

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.readers import FORMATS

FILES = Path(__file__).parent / "formats"
MENTIONS = [("Ada Lovelace", "PER"), ("London", "LOC")]
RELATIONS = [(0, 1, "visits")]
TOOLS = [
    ("conll2003.txt", "train.txt", "conll", False),
    ("huggingface.parquet", "train.parquet", "parquet", False),
    ("doccano.jsonl", "train.jsonl", "doccano", False),
    ("doccano_relations.jsonl", "train.jsonl", "doccano", True),
    ("label_studio.json", "train.json", "label-studio", True),
    ("label_studio_min.json", "train.json", "label-studio", False),
    ("prodigy.jsonl", "train.jsonl", "prodigy", True),
    ("spacy_docs.json", "train.json", "spacy", False),
    ("spacy_training.json", "train.json", "spacy", False),
    ("docbin.spacy", "train.spacy", "spacy", False),
    ("inception.tsv", "train.tsv", "inception", True),
    ("argilla.json", "train.json", "argilla", False),
    ("excel_mentions.csv", "train.csv", "csv", False),
]


def read(path: Path, **params):
    """Load a data set that has no valid and test."""
    return load_dataset(DataParams.model_validate({"path": str(path), **params}))


def list_mentions(post) -> list[tuple[str, str | None]]:
    return [(post.get_mention(entity), entity.type) for entity in post.entities]


@pytest.mark.parametrize(("file", "name", "data_format", "has_relations"), TOOLS)
def test_a_file_of_a_tool_is_recognised_and_read(tmp_path, file, name, data_format, has_relations) -> None:
    if file.endswith(".spacy"):
        pytest.importorskip("spacy")
    shutil.copy(FILES / file, tmp_path / name)

    dataset = read(tmp_path)

    assert dataset.stats["format"] == data_format
    first = dataset.posts["train"][0]
    assert list_mentions(first) == MENTIONS
    assert [tuple(relation.model_dump().values()) for relation in first.relations] == RELATIONS * has_relations


@pytest.mark.parametrize(("folder", "data_format"), [("brat", "brat"), ("huggingface_saved", "huggingface")])
def test_a_folder_of_a_tool_is_recognised_and_read(folder: str, data_format: str) -> None:
    dataset = read(FILES / folder)

    assert dataset.stats["format"] == data_format
    assert list_mentions(dataset.posts["train"][0]) == MENTIONS
    assert len(dataset.posts["train"]) == 2


def test_tags_that_are_numbers_have_their_names_in_a_file(tmp_path) -> None:
    shutil.copy(FILES / "datasets_to_json.jsonl", tmp_path / "train.jsonl")
    (tmp_path / "labels.txt").write_text("O\nB-PER\nI-PER\nB-LOC\nI-LOC\n")

    dataset = read(tmp_path)

    assert dataset.stats["format"] == "tags"
    assert list_mentions(dataset.posts["train"][0]) == MENTIONS


def test_every_file_is_of_one_format_alone() -> None:
    from cotpd.data.readers.text_files import read_head

    for file, *_ in TOOLS:
        head = read_head(FILES / file, file)
        fitting = [form.name for form in FORMATS.values() if form.name != "snap" and form.is_format_of(head)]
        assert len(fitting) == 1, file
