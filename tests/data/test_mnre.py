"""MNRE: pairs become posts, literals are never run, and a bad pair costs that pair."""

import json

import pytest

from cotpd.errors import DataError

TOKENS = ["Ada", "FC", "beat", "Bob", "in", "York"]


def pair(head=(0, 2), tail=(3, 4), relation="None", image="1.jpg", tokens=TOKENS, **changes) -> str:
    ends = [{"name": " ".join(tokens[a:b]), "pos": [a, b]} for a, b in (head, tail)]
    row = {"token": tokens, "h": ends[0], "t": ends[1], "img_id": image, "relation": relation} | changes
    return repr({key: value for key, value in row.items() if value is not ...}) + "\n"


def test_pairs_of_one_post_are_grouped_and_nested_mentions_kept(load, write) -> None:
    write("mnre_train.txt", pair() + pair(image="2.jpg") + pair((0, 2), (0, 1), "/org/per/named") + "\n")
    write("mnre_val.txt", pair(image="3.jpg", tokens=[*TOKENS, "!"]))
    write("BLIP_train.txt", "{'img_id': '1.jpg', 'text': 'a ball'}\n{'img_id': '2.jpg', 'text': ''}\n")

    dataset = load(captions="BLIP_{split}.txt")

    first, second = dataset.posts["train"]
    assert [(e.start, e.end, e.type) for e in first.entities] == [(0, 1, None), (0, 2, None), (3, 4, None)]
    assert [(r.head, r.tail, r.label) for r in first.relations] == [(1, 2, "None"), (1, 0, "/org/per/named")]
    assert (first.id, first.caption, second.id, second.caption) == ("1", "a ball", "2", None)
    assert len(dataset.posts["valid"]) == 1
    assert dataset.labels == ("None", "/org/per/named")


def test_a_test_file_is_read_as_val_is(load, write) -> None:
    for name in ("mnre_train.txt", "mnre_val.txt", "mnre_test.txt"):
        write(name, pair(image=f"{name}.jpg", tokens=[*TOKENS, name]))

    assert list(load().posts) == ["train", "valid", "test"]


def test_the_release_lists_its_labels_and_a_pair_outside_them_is_set_aside(load, write) -> None:
    write("mnre_train.txt", pair() + pair((3, 4), (5, 6), "/typo") + pair((3, 4), (5, 6), "/b"))
    write("relations.json", json.dumps({"/b": 2, "None": 0, "/a": 1}))

    dataset = load()

    assert dataset.labels == ("None", "/a", "/b")
    assert len(dataset.posts["train"][0].relations) == 2
    assert [(row.line, "/typo" in row.reason) for row in dataset.quarantine] == [(2, True)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("__import__('os').system('true')\n", "not a Python literal"),
        ("{'token': ['a'\n", "not a Python literal"),
        ("(" * 100_000 + "\n", "not a Python literal"),
        ("['token']\n", "no dict"),
        (pair(h=...), "missing: h"),
        (pair(token=[]), "not a list of words"),
        (pair(relation=3), "not a string"),
        (pair(relation=" "), "not a string"),
        (pair(image="  "), "names no picture"),
        (pair(image=" .jpg"), "names no picture"),
        (pair(image="/"), "names no picture"),
        (pair(h={"name": "Ada FC", "pos": [0.9, 2]}), "pos is 0.9, not a whole number"),
        (pair(h={"name": "Ada FC", "pos": [False, 2]}), "pos is False, not a whole number"),
        (pair(h={"name": "Ada FC", "pos": [0, 2, 3]}), "no pos"),
        (pair(h={"name": "Ada"}), "no pos"),
        (pair(h={"name": "Ada", "pos": [0, 9]}), "does not fit 6 words"),
        (pair(h={"name": "Eve", "pos": [0, 1]}), "'Ada', not 'Eve'"),
    ],
)
def test_a_bad_line_is_set_aside(load, write, line: str, reason: str) -> None:
    write("mnre_train.txt", pair() + line + pair(image="2.jpg"))

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["1", "2"]
    [refused] = dataset.quarantine
    assert reason in refused.reason
    assert (refused.file, refused.line) == ("mnre_train.txt", 2)


@pytest.mark.parametrize("second", [pair(relation="/x"), pair((0, 2), (0, 2))])
def test_a_post_that_contradicts_itself_is_set_aside(load, write, second: str) -> None:
    write("mnre_train.txt", pair(image="0.jpg") + pair() + second)

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["0"]
    assert [row.id for row in dataset.quarantine] == ["1"]


@pytest.mark.parametrize(
    "content",
    ["[5]", "[" * 100_000, '{"a": 1} {}', '{"a": "1"}', '{"a": null}', "{}", '{"a": 1, "a": 2}', "9" * 5000],
)
def test_an_inventory_that_is_no_map_of_labels_is_refused(load, write, content: str) -> None:
    write("mnre_train.txt", pair())
    write("relations.json", content)

    with pytest.raises(DataError, match=r"relations\.json: ") as caught:
        load()

    assert "None" in caught.value.remedy
