"""The sample is annotated consistently, is what its README says, and holds no post twice."""

import itertools
from pathlib import Path

import pytest
from PIL import Image

from cotpd.data.records import SPLITS
from cotpd.data.tokenization import tokenize
from tests.builders import read_jsonl

SAMPLE = Path(__file__).parent.parent.parent / "sample"
POSTS = {split: read_jsonl(SAMPLE / f"{split}.jsonl") for split in SPLITS}
EVERY = list(itertools.chain.from_iterable(POSTS.values()))


def split_words(post: dict) -> frozenset[str]:
    return frozenset(token.text.casefold() for token in tokenize(post["text"]))


def collect_labels(posts: list[dict]) -> set[str]:
    relations = itertools.chain.from_iterable(post["relations"] for post in posts)
    return {relation["label"] for relation in relations}


def test_it_is_as_large_as_promised() -> None:
    assert len(EVERY) >= 240
    assert len({post["image"] for post in EVERY}) >= 12
    assert sum(len(post["relations"]) for post in EVERY) >= 120
    assert sum(not post["entities"] for post in EVERY) >= 20


def test_ids_and_texts_are_unique_and_no_split_holds_a_near_copy_of_anothers_post() -> None:
    assert len({post["id"] for post in EVERY}) == len(EVERY)
    assert len({post["text"].casefold() for post in EVERY}) == len(EVERY)
    for first, second in itertools.combinations(SPLITS, 2):
        for a, b in itertools.product(POSTS[first], POSTS[second]):
            shared, united = split_words(a) & split_words(b), split_words(a) | split_words(b)
            assert len(shared) <= 0.6 * len(united), (a["id"], b["id"])


@pytest.mark.parametrize("post", EVERY, ids=[post["id"] for post in EVERY])
def test_annotation_is_consistent(post: dict) -> None:
    starts = {token.start for token in tokenize(post["text"])}
    ends = {token.end for token in tokenize(post["text"])}
    at = 0

    for entity in post["entities"]:
        assert entity["type"] in {"PER", "LOC", "ORG", "MISC"}
        assert entity["start"] >= at, "entities are sorted and do not overlap"
        assert entity["start"] in starts
        assert entity["end"] in ends
        at = entity["end"]
    pairs = [(relation["head"], relation["tail"]) for relation in post["relations"]]
    assert len(set(pairs)) == len(pairs)
    for relation in post["relations"]:
        assert relation["head"] != relation["tail"]
        types = [post["entities"][relation[end]]["type"].lower() for end in ("head", "tail")]
        if relation["label"] != "None":
            assert relation["label"].split("/")[1:3] == types, "the label's types are those of the pair"


def test_labels_and_types_of_valid_and_test_occur_in_train() -> None:
    trained = collect_labels(POSTS["train"])

    assert collect_labels(EVERY) <= trained
    assert len(trained) >= 10


@pytest.mark.parametrize("image", sorted({post["image"] for post in EVERY}))
def test_pictures_are_photographs_of_modest_size_and_their_licence_is_stated(image: str) -> None:
    path = SAMPLE / image

    with Image.open(path) as picture:
        picture.load()
        assert max(picture.size) <= 800

    assert path.stat().st_size < 300_000
    assert path.name in (SAMPLE / "README.md").read_text("utf-8")
