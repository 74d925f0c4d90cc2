"""Which examples belong to a slice, for both tasks."""

from cotpd.evaluation.slices import LONG, NO_PICTURE, UNSEEN, build_slices
from tests.builders import build_post

TRAINING = [
    build_post("[Ada](PER) lives in [Rome](LOC)", id="t1"),
    build_post("[Bob](PER) lives in [New  York](LOC)", id="t2"),
]


def test_a_post_with_one_mention_that_no_training_post_annotates_is_unseen():
    posts = [
        build_post("[Ada](PER) met [Eve](PER)", id="half"),
        build_post("[ADA](PER) saw [new york](LOC)", id="case"),
        build_post("nobody lives here", id="none"),
    ]

    assert build_slices("ner", posts, TRAINING)[UNSEEN] == {"half"}


def test_a_pair_is_unseen_by_its_own_two_mentions():
    post = build_post(
        "[Ada]() met [Eve]() in [Rome]()", id="p", relations=[(0, 2, "lives_in"), (0, 1, "knows"), (1, 2, "None")]
    )

    assert build_slices("re", [post], TRAINING)[UNSEEN] == {"p#1", "p#2"}


def test_the_examples_of_posts_without_a_picture_are_told_by_the_post():
    pair = {"relations": [(0, 1, "lives_in")]}
    posts = [
        build_post("[Ada](PER) in [Rome](LOC)", id="seen", image="a.jpg", **pair),
        build_post("[Ada](PER) in [Rome](LOC)", id="bare", **pair),
    ]

    assert build_slices("ner", posts, TRAINING)[NO_PICTURE] == {"bare"}
    assert build_slices("re", posts, TRAINING)[NO_PICTURE] == {"bare#0"}


def test_a_long_post_has_more_words_than_three_quarters_of_the_training_posts():
    training = [build_post("a " * length + "b", id=str(length)) for length in range(1, 9)]  # 2 to 9 words
    posts = [build_post("a " * (words - 1) + "b", id=str(words)) for words in range(1, 12)]

    assert build_slices("ner", posts, training)[LONG] == {"8", "9", "10", "11"}


def test_without_training_posts_every_mention_is_unseen_and_the_posts_themselves_say_what_is_long():
    posts = [build_post("[Ada](PER) " + "a " * words + "b", id=str(words)) for words in range(1, 5)]

    slices = build_slices("ner", posts, [])

    assert slices[UNSEEN] == {"1", "2", "3", "4"}
    assert slices[LONG] == {"4"}
    assert build_slices("ner", [], []) == {UNSEEN: frozenset(), NO_PICTURE: frozenset(), LONG: frozenset()}
