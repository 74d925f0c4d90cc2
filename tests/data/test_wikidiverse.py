"""WikiDiverse, in the shape that its repository describes."""

import json

import pytest

from cotpd.errors import DataError

URL = "https://upload.example.org/a/Ada%20L.jpg"


def build_sentence(text: str = "Ada visits London.", mentions: list | None = None, url: str = URL) -> list:
    link = "https://en.wikipedia.org/wiki/X"
    return [text, url, "science", [["Ada", "Person", 0, 3, link]] if mentions is None else mentions]


def test_fine_types_become_coarse_and_are_counted(load, write) -> None:
    mentions = [["Ada", "Person", 0, 3, ""], ["London", "Country", 11, 17, ""], ["Expo", "Event", 21, 25, ""]]
    write("train.json", json.dumps([build_sentence("Ada visits London at Expo", mentions)], indent=1))

    dataset = load()

    [post] = dataset.posts["train"]
    assert [(post.get_mention(e), e.type) for e in post.entities] == [
        ("Ada", "PER"),
        ("London", "LOC"),
        ("Expo", "MISC"),
    ]
    assert dataset.stats["splits"]["train"]["noticed"] == {
        "fine_type:Country": 1,
        "fine_type:Event": 1,
        "fine_type:Person": 1,
    }


@pytest.mark.parametrize("form", ["list", "lines"])
def test_rows_have_ids_by_number_and_lines_of_their_own(load, write, form: str) -> None:
    rows = [
        json.dumps(row) for row in (build_sentence(), build_sentence("Bob sings", []), build_sentence("Eve", []))
    ]
    write("train.json", "\n".join(rows) if form == "lines" else "[\n" + ",\n".join(rows) + "\n]")

    posts = load().posts["train"]

    first_line = 1 if form == "lines" else 2
    assert [(post.id, post.line) for post in posts] == [(f"train-0000{n}", first_line + n - 1) for n in (1, 2, 3)]


@pytest.mark.parametrize("name", ["Ada%20L.jpg", "Ada L.jpg", "images/Ada L.jpg"])
def test_pictures_are_found_by_the_name_in_their_address(load, write, name: str) -> None:
    write("train.json", json.dumps([build_sentence()]))
    write(name, b"")

    assert load().posts["train"][0].image == name


def test_an_address_that_is_none_costs_the_picture_only(load, write) -> None:
    write("train.json", json.dumps([build_sentence(url="https://[upload")]))

    dataset = load()

    assert dataset.stats["splits"]["train"]["picture_at_hand"] == 0
    assert not dataset.quarantine


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"sentence": "x"}, "not [sentence"),
        (["Ada", URL, "Ada", "Person", "", "", "link", [], "science", 0, 3], "not [sentence"),
        (build_sentence(" "), "empty"),
        (build_sentence(mentions=[["Ada", "Person"]]), "a mention is not"),
        (build_sentence(mentions=[["Ada", "Person", 0, float("inf"), ""]]), "end is inf, not a whole number"),
        (build_sentence(mentions=[["Ada", "Person", 0.9, 3, ""]]), "start is 0.9, not a whole number"),
        (build_sentence(mentions=[["Ada", "Person", False, 3, ""]]), "start is False, not a whole number"),
        (build_sentence(mentions=[["Ada", "Person", 1, 4, ""]]), "not 'Ada': counted from 1?"),
        (build_sentence(mentions=[["London", "Place", 0, 3, ""]]), "marks 'Ada', not 'London'"),
        (build_sentence(mentions=[["Ad", "Person", 0, 2, ""]]), "does not begin and end with a word"),
        (build_sentence(mentions=[["Ada", "", 0, 3, ""]]), "no type"),
        (build_sentence(mentions=[["Ada", "Person", 0, 3, ""], ["Ada visits", "Event", 0, 10, ""]]), "overlap"),
    ],
)
def test_a_bad_row_is_set_aside(load, write, row, reason: str) -> None:
    write("train.json", json.dumps([build_sentence(), row, build_sentence("Bob", [])]))

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["train-00001", "train-00003"]
    assert reason in dataset.quarantine[0].reason


@pytest.mark.parametrize(
    "cut", ['[["a", "", "", []],\n ["b', '[["a", "", "", []]\n ["b", "", "", []]]', '[["a", "", "", []],\n']
)
def test_a_list_that_breaks_off_is_refused_with_its_line(load, write, cut: str) -> None:
    write("train.json", cut)

    with pytest.raises(DataError, match=r"train\.json:[12]: "):
        load()
