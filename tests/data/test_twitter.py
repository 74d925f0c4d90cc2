"""Twitter-2015/2017 and SNAP: annotations, the captions and the answers that were released with them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotpd.data.bio import encode_spans
from cotpd.data.readers.file_format import Source
from cotpd.data.readers.twitter import read
from cotpd.data.records import Kind, iterate_posts

POSTS = "IMGID:16_1\nAda\tB-PER\nwaves\tO\n\nIMGID:O_2\nin\tO\nNew\tB-LOC\nYork\tI-LOC\n\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_posts_are_read_with_either_line_end(load, write, end: str) -> None:
    write("train.txt", POSTS.replace("\n", end))

    first, second = load().posts["train"]

    assert (first.id, first.text, first.line) == ("16_1", "Ada waves", 1)
    assert second.get_mention(second.entities[0]) == "New York"
    assert second.entities[0].type == "LOC"


def test_line_ends_may_be_mixed_and_blank_lines_doubled_or_missing(load, write) -> None:
    write("train.txt", "IMGID:1\r\nAda\tB-PER\r\n\n\nIMGID:2\nBob\tB-PER\nIMGID:3\nCat\tO")

    dataset = load()

    assert [(post.id, post.tokens) for post in dataset.posts["train"]] == [
        ("1", ("Ada",)),
        ("2", ("Bob",)),
        ("3", ("Cat",)),
    ]
    assert not dataset.quarantine


@pytest.mark.parametrize("blank", [" ", "\t", " \t ", "\r"])
def test_a_line_of_blanks_or_tabs_ends_a_post(load, write, blank: str) -> None:
    write("train.txt", f"IMGID:1\nAda\tB-PER\n{blank}\nIMGID:2\nBob\tO\t\n{blank}\n{blank}\n")

    dataset = load()

    assert [(post.id, post.tokens) for post in dataset.posts["train"]] == [("1", ("Ada",)), ("2", ("Bob",))]
    assert not dataset.quarantine


TOKEN = st.text(st.characters(blacklist_characters="\t\n\r", blacklist_categories=("Cs",)), min_size=1, max_size=6)


@given(st.lists(st.tuples(TOKEN, st.booleans()), min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_tokens_survive(tmp_path, tokens: list[tuple[str, bool]]) -> None:
    spans = [(at, at + 1, "PER") for at, (_, marked) in enumerate(tokens) if marked]
    tags = encode_spans(spans, len(tokens))
    path = tmp_path / "train.txt"
    lines = "".join(f"{token}\t{tag}\n" for (token, _), tag in zip(tokens, tags, strict=True))
    path.write_bytes(f"IMGID:x\n{lines}\n".encode())

    [post] = list(read(Source(path, "train.txt", "train")))

    assert list(post.tokens) == [token for token, _ in tokens]
    assert [(e.start, e.end, e.type) for e in post.entities] == spans


def test_orphans_are_entities_and_are_counted(load, write) -> None:
    write("train.txt", "IMGID:1\nAda\tI-PER\nof\tO\nYork\tI-LOC\nBob\tI-PER\n")

    dataset = load()

    assert len(dataset.posts["train"][0].entities) == 3
    assert dataset.stats["splits"]["train"]["orphan_tags"] == 3
    assert any("conlleval" in warning for warning in dataset.stats["warnings"])


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("IMGID:2\n", "no tokens"),
        ("Ada\tB-PER\n", "no IMGID"),
        ("IMGID:\nAda\tB-PER\n", "no IMGID"),
        ("IMGID:2\nAda\tPERSON\n", "'PERSON' is not a BIO tag"),
        ("IMGID:2\nAda\n", "not a token and a tag"),
        ("IMGID:2\nAda\tB-PERIMGID:4\nEve\tO\n", "line 5 holds IMGID: behind a tag"),
        ("IMGID:2\nAda\tNNP\tB-PER\n", "line 5 has 3 columns where token and tag are read: 'Ada', 'NNP', 'B-PER'"),
        ("IMGID:2\nAda NNP B-NP B-PER\n", "line 5 has 4 columns"),
    ],
)
def test_a_bad_post_is_set_aside_and_the_next_is_read(load, write, block: str, reason: str) -> None:
    write("train.txt", f"IMGID:1\nAda\tO\n\n{block}\nIMGID:3\nBob\tO\n")

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["1", "3"]
    assert reason in dataset.quarantine[0].reason
    assert (dataset.quarantine[0].file, dataset.quarantine[0].line) == ("train.txt", 4)


def test_posts_that_share_a_picture_get_ids_of_their_own_over_all_splits(load, write) -> None:
    write("train.txt", "IMGID:1\nAda\tO\n\nIMGID:1\nBob\tO\n")
    write("test.txt", "IMGID:1\nCat\tO\n")
    write("captions.txt", "1.jpg :a cat\n")

    posts = load(captions="captions.txt").posts

    assert [post.id for post in iterate_posts(posts)] == ["1", "1#2", "1#3"]
    assert {post.caption for post in iterate_posts(posts)} == {"a cat"}, "the picture is still one"


def test_snap_is_read_when_asked_for_by_name(load, write) -> None:
    write("train.txt", POSTS)

    assert load(format="snap").stats["format"] == "snap"
    assert load().stats["format"] == "twitter"


def test_the_caption_of_the_fallback_picture_is_no_caption(load, write) -> None:
    ids = [f"O_{n}" for n in range(60)]
    write("train.txt", "".join(f"IMGID:{name}\nAda\tO\n\n" for name in [*ids, "O_own", "17_1"]))
    lines = [f"{name}.jpg :a grey square" for name in ids]
    write("captions_blip2.txt", "\n".join([*lines, "O_own.jpg :a: b", "17_1.jpg : a dog "]))

    dataset = load(captions="captions_blip2.txt")

    captions = {post.id: post.caption for post in dataset.posts["train"] if post.caption}
    assert captions == {"O_own": "a: b", "17_1": "a dog"}
    assert dataset.stats["captions"]["fallback_picture"] == 60


@pytest.mark.parametrize(("prefix", "times"), [("17_", 60), ("O_", 20)])
def test_a_caption_that_merely_recurs_is_kept(load, write, prefix: str, times: int) -> None:
    ids = [f"{prefix}{n}" for n in range(times)]
    write("train.txt", "".join(f"IMGID:{name}\nAda\tO\n\n" for name in ids))
    write("captions.txt", "\n".join(f"{name}.jpg :a ball game" for name in ids))

    assert load(captions="captions.txt").stats["splits"]["train"]["with_caption"] == times


def answer(post: str, words: str) -> str:
    return post + "<EOS>\tX\n" + "".join(f"{word}\tX\n" for word in words.split()) + "\n"


def test_answers_out_of_step_are_reported_and_do_not_shift_the_others(load, write) -> None:
    write("train.txt", "IMGID:1\nAda\tO\n\nIMGID:2\nBob\tO\n\nIMGID:3\nCat\tO\n\nIMGID:4\nBob\tO\n")
    blocks = [answer("Ada\tO\n", "a name"), answer("Eve\tO\n", "stray"), answer("Bob\tO\n", "first Bob")]
    broken = "Dan\tO\nno\tX\n\n"
    write("answers/train.txt", ("".join(blocks) + broken + answer("Bob\tO\n", "second Bob")).replace("\n", "\r\n"))

    dataset = load(answers="answers", answers_kind="noun")

    knowledge = {post.id: post.knowledge for post in dataset.posts["train"]}
    assert knowledge == {
        "1": {Kind.NOUN: "a name"},
        "2": {Kind.NOUN: "first Bob"},
        "3": {},
        "4": {Kind.NOUN: "second Bob"},
    }
    assert [(row.file, row.line) for row in dataset.quarantine] == [
        ("answers/train.txt", 6),
        ("answers/train.txt", 15),
    ]
    assert dataset.stats["answers"] == {
        "read": 5,
        "matched": 3,
        "unmatched": 2,
        "posts_with": 3,
        "posts_without": 1,
    }


def test_answers_of_a_split_that_is_absent_are_left_alone(load, write) -> None:
    write("train.txt", POSTS)
    write("answers/test.txt", answer("Eve\tO\n", "not here"))

    dataset = load(answers="answers/{split}.txt")

    assert not dataset.quarantine
    assert dataset.stats["answers"]["posts_with"] == 0
