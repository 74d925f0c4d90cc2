"""A data set that is written in a format and read again is the same, apart from what `data convert` says is lost."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotpd.annotation.arrow_writer import build_schema, describe_features
from cotpd.annotation.dataset_conversion import convert_posts
from cotpd.annotation.gold_writers import GOLD_FORMATS
from cotpd.annotation.losses import replace_blanks
from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.readers.jsonl import read_text
from cotpd.data.records import Entity, Kind, Post, Relation, iterate_posts
from cotpd.data.tokenization import tokenize
from cotpd.errors import ConfigError, DataError
from tests.builders import build_post

CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(["Ada", "London", "#", "👋🏽", "北京", "_", "[x]|", "a\\_b", "\n", "\t", "  ", "O"]),
        CHARACTERS,
    ),
    min_size=1,
    max_size=12,
).map("".join)
NAMES = st.text(CHARACTERS, min_size=1, max_size=8).filter(lambda name: name.strip() and name != "-")
PLAIN_IDS = st.text(st.characters(categories=["L", "N"], include_characters="._/ %"), min_size=1, max_size=8)


@st.composite
def draw_post(draw, number: int) -> Post:
    text = draw(TEXTS.filter(lambda text: text.strip() and tokenize(text)))
    tokens = tokenize(text)
    borders = draw(st.lists(st.integers(0, len(tokens)), max_size=6, unique=True).map(sorted))
    spans = list(zip(borders[::2], borders[1::2], strict=False))
    entities = [Entity(start=start, end=end, type=draw(NAMES)) for start, end in spans]
    pairs = [(0, 1)] if len(entities) > 1 and draw(st.booleans()) else []
    return Post(
        id=f"{number}{draw(PLAIN_IDS)}",
        text=text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        entities=tuple(entities),
        relations=tuple(Relation(head=head, tail=tail, label=draw(NAMES)) for head, tail in pairs),
        label=draw(st.sampled_from([None, "positive"])),
        image=draw(st.sampled_from([None, "images/1.jpg"])),
        caption=draw(st.sampled_from([None, "a tower"])),
        knowledge=draw(st.sampled_from([{}, {Kind.NOUN: "Ada: a name"}])),
    )


def select_held(post: Post, holds) -> dict:
    """What a format holds of a post."""
    values = post.model_dump(exclude={"file", "line", "image_digest"})
    clean = str if holds.blanks else replace_blanks
    values["entities"] = [(e.start, e.end, clean(e.type or "")) for e in post.entities]
    values["relations"] = [(r.head, r.tail, clean(r.label)) for r in post.relations] if holds.relations else []
    values["tokens"] = [clean(token) for token in post.tokens]
    lost = {
        "ids": ["id"],
        "texts": ["text", "offsets"],
        "images": ["image"],
        "captions": ["caption", "knowledge"],
        "labels": ["label"],
    }
    for name, keys in lost.items():
        if not getattr(holds, name):
            for key in keys:
                del values[key]
    return values


def read_back(folder: Path, name: str, words: str = "social") -> list[Post]:
    dataset = load_dataset(DataParams(path=str(folder), format=name, words=words))
    assert dataset.quarantine == []
    return dataset.posts["train"]


@pytest.mark.parametrize("name", GOLD_FORMATS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(data=st.data())
def test_what_is_written_is_read_again(tmp_path_factory, name: str, data) -> None:
    posts = [data.draw(draw_post(number)) for number in range(2)]
    folder = tmp_path_factory.mktemp("set")

    convert_posts({"train": posts}, name, folder)

    holds = GOLD_FORMATS[name].holds
    assert [select_held(post, holds) for post in read_back(folder, name)] == [
        select_held(post, holds) for post in posts
    ]


@pytest.mark.parametrize("name", GOLD_FORMATS)
def test_what_a_format_loses_is_said_and_nothing_else(tmp_path, name: str) -> None:
    markup = "[Ada](PER)  visits [London](LOC)"
    post = build_post(markup, id="x", relations=[(0, 1, "to see")], image="1.jpg", caption="a tower")

    losses = convert_posts({"train": [post]}, name, tmp_path).losses

    lost = {key for key, has_place in asdict(GOLD_FORMATS[name].holds).items() if not has_place}
    words = {
        "ids": "1 id of a post",
        "order": "1 position of a post",
        "texts": "1 text whose words",
        "images": "1 name of a picture",
        "captions": "1 caption or answer",
        "relations": "1 relation",
        "blanks": "with blanks",
    }
    text = "; ".join(losses)
    assert {key for key, word in words.items() if word in text} == lost & set(words)


def test_given_words_and_mentions_without_a_type_survive_the_tools(tmp_path) -> None:
    words = ("New York", "City", "FC")
    offsets = ((0, 8), (9, 13), (14, 16))
    entities = (Entity(start=0, end=3), Entity(start=0, end=2))
    relations = (Relation(head=0, tail=1, label="/org/loc/in"),)
    post = Post(
        id="1", text="New York City FC", tokens=words, offsets=offsets, entities=entities, relations=relations
    )

    for name in (
        "jsonl",
        "parquet",
        "huggingface",
        "doccano",
        "label-studio",
        "prodigy",
        "spacy",
        "argilla",
        "csv",
    ):
        convert_posts({"train": [post]}, name, tmp_path / name)
        (again,) = read_back(tmp_path / name, name, "given")
        assert (again.tokens, again.entities, again.relations) == (words, entities, relations), name


def test_every_format_that_is_written_is_recognised(tmp_path) -> None:
    first, second = (build_post(f"[Ada](PER) visits [London](LOC) {year}", id=str(year)) for year in (1815, 1852))

    for name in GOLD_FORMATS:
        convert_posts({"train": [first], "test": [second]}, name, tmp_path / name)
        dataset = load_dataset(DataParams(path=str(tmp_path / name)))
        assert dataset.stats["format"] == name


def test_what_is_there_is_not_replaced_unasked(tmp_path) -> None:
    posts = {"train": [build_post("[Ada](PER) waves")]}
    convert_posts(posts, "jsonl", tmp_path)

    with pytest.raises(ConfigError, match="exists"):
        convert_posts(posts, "jsonl", tmp_path)


def build_post_in_words(post_id: str, text: str, words: Sequence[str]) -> Post:
    tokens = read_text({"text": text, "tokens": list(words)}).tokens
    offsets = tuple((token.start, token.end) for token in tokens)
    entities = (Entity(start=0, end=1, type="PER"),)
    return Post(id=post_id, text=text, tokens=tuple(words), offsets=offsets, entities=entities)


@pytest.mark.parametrize("name", [name for name in GOLD_FORMATS if GOLD_FORMATS[name].holds.tokens])
def test_words_survive_also_where_those_of_few_posts_are_those_of_another_rule(tmp_path, name: str) -> None:
    posts = [build_post_in_words(str(number), "我爱北京", ["我", "爱", "北京"]) for number in range(5)]
    posts += [
        build_post_in_words(str(number), f"北京 hat {number}", ["北京", "hat", str(number)])
        for number in range(5, 9)
    ]

    convert_posts({"train": posts[:-1], "test": posts[-1:]}, name, tmp_path)

    dataset = load_dataset(DataParams(path=str(tmp_path)))
    words = [post.tokens for post in iterate_posts(dataset.posts)]
    assert words == [post.tokens for post in posts]


def test_words_that_a_reader_makes_of_the_texts_are_not_written(tmp_path) -> None:
    post = build_post_in_words("1", "我爱北京", "我爱北京")

    convert_posts({"train": [post]}, "jsonl", tmp_path)

    assert "tokens" not in (tmp_path / "train.jsonl").read_text("utf-8")
    assert read_back(tmp_path, "jsonl", "auto")[0].tokens == post.tokens


@pytest.mark.parametrize(
    ("text", "words", "lost"),
    [
        ("我爱北京天安门", tuple("我爱北京天安门"), []),
        ("我爱北京天安门", ("我", "爱", "北京", "天安门"), ["1 post with words of their own"]),
        ("Ada isn't here", ("Ada", "isn't", "here"), ["1 post with words of their own"]),
        ("Ada is here", ("Ada", "is", "here"), []),
    ],
)
def test_words_are_lost_where_a_reader_of_the_text_would_make_others(tmp_path, text: str, words, lost) -> None:
    post = build_post_in_words("1", text, words)

    losses = convert_posts({"train": [post]}, "brat", tmp_path).losses

    assert [line for line in losses if "words" in line] == lost
    assert ([again.tokens for again in read_back(tmp_path, "brat", "auto")] == [words]) is not bool(lost)


def test_a_folder_of_brat_with_documents_of_other_posts_is_not_mixed_with_them(tmp_path) -> None:
    posts = [build_post("[Ada](PER) waves", id=name) for name in ("a", "b")]
    convert_posts({"train": posts}, "brat", tmp_path)

    with pytest.raises(DataError, match=r"b\.ann: the document of a post that is not written"):
        convert_posts({"train": posts[:1]}, "brat", tmp_path, overwrite=True)

    assert [post.id for post in read_back(tmp_path, "brat")] == ["a", "b"]


def test_posts_with_words_of_their_own_are_recognised_as_doccano_s(tmp_path) -> None:
    post = Post(id="1", text="New York", tokens=("New York",), offsets=((0, 8),), label="calm")
    convert_posts({"train": [post]}, "doccano", tmp_path)

    (again,) = read_back(tmp_path, "auto", "auto")

    assert (again.tokens, again.label) == (post.tokens, "calm")


def test_every_column_of_a_table_is_described_for_datasets() -> None:
    schema, names = build_schema([build_post("[Ada](PER) waves")])

    assert sorted(describe_features(names)) == sorted(schema.names)


@pytest.mark.parametrize("name", ["jsonl", "brat", "huggingface"])
def test_a_split_of_an_earlier_data_set_does_not_join_the_new_one(tmp_path, name: str) -> None:
    posts = [build_post(f"[Ada](PER) waves {number}", id=f"{number}") for number in range(2)]
    convert_posts({"train": posts[:1], "test": posts[1:]}, name, tmp_path)

    with pytest.raises(ConfigError, match="the test split of an earlier data set"):
        convert_posts({"train": posts}, name, tmp_path, overwrite=True)

    assert len(read_back(tmp_path, name)) == 1
