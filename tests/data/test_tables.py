"""Tables and JSON files of the steps: what is written is read back, and an edited file is named with its line."""

from pathlib import Path

import pytest

from cotpd.data.records import KNOWLEDGE_KINDS, Caption, Kind, Knowledge, Post
from cotpd.data.tables import iterate_table, read_json, read_table, write_json, write_table
from cotpd.data.validated import read_captions, read_knowledge
from cotpd.errors import DataError
from tests.builders import build_post, build_posts


def test_posts_survive_being_written(tmp_path: Path) -> None:
    posts = [*build_posts(3), build_post("[Zoë](PER)\u2028waves 🎉", id="odd", knowledge={Kind.NOUN: "a name"})]

    count = write_table(tmp_path / "posts.jsonl", posts)

    assert count == 4
    assert read_table(tmp_path / "posts.jsonl", Post) == posts


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ('{"id": "1"}', r"2: not a Caption: image: "),
        ("oops", r"2: not a Caption: : Invalid JSON"),
        ('{"id": "1", "image": null, "caption": null, "backend": "x", "more": 1}', r"2: not a Caption: more: "),
        ("\udcff", r"2: not a Caption: "),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, where: str) -> None:
    path = tmp_path / "captions.jsonl"
    write_table(path, [Caption(id="0", image=None, caption=None, backend="tags")])
    with path.open("ab") as file:
        file.write(line.encode("utf-8", "surrogateescape"))

    with pytest.raises(DataError, match=rf"captions\.jsonl:{where}"):
        read_table(path, Caption)


def test_rows_before_a_damaged_one_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    write_table(path, build_posts(1))
    path.write_text(path.read_text("utf-8") + "\n\noops\n", "utf-8")

    rows = iterate_table(path, Post)

    assert next(rows).id == "p0"
    with pytest.raises(DataError, match=r"posts\.jsonl:4: "):
        next(rows)


def test_a_missing_table_is_named_with_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no such table\n.*dvc repro"):
        read_table(tmp_path / "posts.jsonl", Post)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "not JSON"),
        ("[" * 99_999, "not JSON"),
        ("[]", "holds no JSON object"),
        ('{"a": {"c": 1}}', r"has no a\.b"),
        ('{"a": 1}', r"has no a\.b"),
        ('{"a": {"b": null}}', r"has no a\.b"),
    ],
)
def test_an_edited_json_file_is_named(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(content, "utf-8")

    with pytest.raises(DataError, match=rf"summary\.json: {problem}"):
        read_json(path, "a.b")


def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"summary\.json: there is no such file"):
        read_json(tmp_path / "summary.json")


def test_a_json_file_is_written_with_sorted_keys(tmp_path: Path) -> None:
    path = tmp_path / "new/summary.json"

    write_json(path, {"b": "é", "a": {"c": 1}})

    assert path.read_text("utf-8") == '{\n  "a": {\n    "c": 1\n  },\n  "b": "é"\n}\n'
    assert read_json(path, "a.c") == {"a": {"c": 1}, "b": "é"}


def test_validated_captions_and_knowledge_are_read_by_post(tmp_path: Path) -> None:
    captions = [
        Caption(id=name, image="a.jpg", caption=text, backend="x") for name, text in (("1", "a"), ("2", None))
    ]
    kinds = reversed(KNOWLEDGE_KINDS)
    write_table(tmp_path / "captions.jsonl", captions)
    write_table(tmp_path / "knowledge.jsonl", [Knowledge(id="1", kind=kind, text=f"its {kind}") for kind in kinds])

    knowledge = read_knowledge(tmp_path)

    assert read_captions(tmp_path) == {"1": "a"}
    assert list(knowledge["1"]) == list(KNOWLEDGE_KINDS)
    assert knowledge["1"][Kind.NOUN] == "its noun"
