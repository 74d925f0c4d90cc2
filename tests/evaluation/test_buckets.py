"""Scores in each bucket, and the paired difference between two rows, by hand and against the whole split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotpd.data.records import Entity
from cotpd.evaluation.buckets import MINIMUM_POSTS, BucketRow, compute_buckets, select_certain
from cotpd.evaluation.json_rows import read_rows, write_rows
from cotpd.evaluation.partitions import list_partitions
from cotpd.evaluation.scores import score
from cotpd.evaluation.significance import run_paired_bootstrap
from cotpd.evaluation.slices import MINIMUM_SUPPORT
from cotpd.student.tasks import ClassPrediction, NerPrediction, RePrediction
from tests.builders import build_post
from tests.evaluation.mention_rows import draw_spans

TRAINING = [build_post("[Rome](LOC) and [Ada](PER)", id="t")]


def build_test_posts(count, markup="[Rome](LOC) met [Eve](PER) today"):
    return [build_post(markup, id=str(number), image="a" if number % 2 else None) for number in range(count)]


def predict(posts, model, find_mentions):
    """Return a row's predictions, with the mentions that a function finds in a numbered post."""
    rows = []
    for number, post in enumerate(posts):
        gold = [[entity.start, entity.end, entity.type] for entity in post.entities]
        predicted = find_mentions(number, gold)
        rows.append(NerPrediction(id=post.id, split="test", model=model, gold=gold, predicted=predicted))
    return rows


def compare(posts, predictions, **options):
    partitions = list_partitions("ner", TRAINING, {})
    rows = compute_buckets(predictions, {"test": posts}, partitions, seed=1, resamples=200, **options)
    return {(row.row, row.against, row.by, row.bucket): row for row in rows}


def test_a_bucket_counts_its_own_labels_and_no_others():
    posts = build_test_posts(40)
    predictions = [
        *predict(posts, "baseline", lambda number, gold: gold[:1]),  # Rome alone, which training showed
        *predict(posts, "student", lambda number, gold: gold if number < 30 else gold[:1]),
    ]

    rows = compare(posts, predictions)

    seen = rows["student", "baseline", "seen in training", "seen with this label"]
    assert (seen.posts, seen.mentions, seen.score, seen.score_against, seen.difference) == (40, 40, 100, 100, 0)
    unseen = rows["student", "baseline", "seen in training", "unseen"]
    assert (unseen.mentions, unseen.score, unseen.score_against, unseen.difference) == (40, 85.71, 0, 85.71)
    assert unseen.low > 0


def test_a_spurious_mention_counts_in_the_bucket_that_it_looks_like_itself():
    """Rome, predicted as PER, misses a mention seen with its label, and is spurious among the ambiguous ones."""
    posts = build_test_posts(40, "[Rome](LOC) is old")
    predictions = [
        *predict(posts, "baseline", lambda number, gold: []),
        *predict(posts, "student", lambda number, gold: [[0, 1, "PER"], [2, 3, "PER"]]),
    ]

    rows = compare(posts, predictions)

    seen = {bucket: row for (_, _, by, bucket), row in rows.items() if by == "seen in training"}
    assert {bucket: row.mentions for bucket, row in seen.items()} == {
        "seen with this label": 40,
        "seen with other or several labels": 0,
        "unseen": 0,
    }
    assert all(row.score == 0 for row in seen.values())


def test_a_post_without_labels_belongs_to_the_buckets_of_posts():
    posts = [*build_test_posts(4), build_post("nothing here", id="empty")]
    predictions = [*predict(posts, "baseline", list_all), *predict(posts, "student", list_all)]

    rows = compare(posts, predictions)

    assert rows["student", "baseline", "picture", "without"].posts == 3
    assert rows["student", "baseline", "picture", "with"].posts == 2


def list_all(_number, gold):
    return gold


@pytest.mark.parametrize(
    ("posts", "is_small"),
    [
        (build_test_posts(MINIMUM_SUPPORT - 1, "[Rome](LOC) is old"), True),
        (build_test_posts(MINIMUM_SUPPORT, "[Rome](LOC) is old"), False),
        (build_test_posts(MINIMUM_POSTS - 1, "[Rome](LOC) and [Rome](LOC)"), True),
        (build_test_posts(MINIMUM_POSTS, "[Rome](LOC) and [Rome](LOC)"), False),
    ],
)
def test_a_small_bucket_says_so_instead_of_an_interval(posts, is_small):
    predictions = [
        *predict(posts, "baseline", lambda number, gold: []),
        *predict(posts, "student", list_all),
    ]

    row = compare(posts, predictions)["student", "baseline", "seen in training", "seen with this label"]

    assert (row.low is None, row.p_holm is None, "too few" in row.note) == (is_small,) * 3
    assert row.difference == 100


def test_a_bucket_that_holds_every_label_has_the_difference_of_the_whole_split():
    rng = np.random.default_rng(0)
    right = {"baseline": rng.random((60, 2)) < 0.6, "student": rng.random((60, 2)) < 0.8}
    posts = [post.model_copy(update={"image": "a"}) for post in build_test_posts(60)]
    models = {
        name: predict(posts, name, lambda number, gold, table=table: [*np.array(gold, object)[table[number]]])
        for name, table in right.items()
    }

    row = compare(posts, [*models["baseline"], *models["student"]])["student", "baseline", "picture", "with"]

    whole = run_paired_bootstrap(models["student"], models["baseline"], seed=1, resamples=200)
    figures = (row.difference, row.low, row.high)
    assert figures == pytest.approx([100 * value for value in (whole.f1, whole.low, whole.high)], abs=0.006)
    assert row.p_value == pytest.approx(whole.p_value, abs=1e-6)
    assert row.score == pytest.approx(100 * score(models["student"], "ner").f1, abs=0.006)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(draw_spans(), draw_spans()), min_size=1, max_size=6))
def test_the_buckets_of_each_partition_hold_every_label_once(pairs):
    posts = [build_marked_post(str(number), gold) for number, (gold, _) in enumerate(pairs)]
    predictions = []
    for model in ("baseline", "student"):
        predictions += predict(posts, model, lambda number, gold: pairs[number][1])

    rows = compare(posts, predictions)

    expected = sum(len(gold) for gold, _ in pairs)
    sums: dict[str, int] = {}
    for (_, _, by, _), row in rows.items():
        sums[by] = sums.get(by, 0) + row.mentions
    assert set(sums.values()) <= {expected}


def build_marked_post(key, spans):
    """Build a post of 24 words with mentions at some tokens."""
    post = build_post(" ".join("abcdefghijklmnopqrstuvwx"), id=key)
    entities = tuple(Entity(start=start, end=end, type=kind) for start, end, kind in spans)
    return post.model_copy(update={"entities": entities})


def test_relations_are_compared_by_pair_and_post_length():
    posts = [
        build_post("[ann](PER) met [bob](PER)", id=str(number), relations=[(0, 1, "friends")])
        for number in range(40)
    ]
    predictions = []
    for model, label in (("baseline", "None"), ("student", "friends")):
        predictions += [
            RePrediction(id=f"{post.id}#0", split="test", model=model, gold=["friends"], predicted=[label])
            for post in posts
        ]

    rows = list(
        compute_buckets(predictions, {"test": posts}, list_partitions("re", posts, {}), seed=1, resamples=100)
    )

    figures = {row.by: (row.bucket, row.mentions, row.difference) for row in rows}
    assert figures["seen in training"] == ("seen with this label", 40, 100)
    assert figures["distance of the pair"] == ("up to 3 tokens", 40, 100)
    assert figures["picture"] == ("without", 40, 100)


def test_labels_of_posts_are_divided_by_the_post_alone():
    posts = [build_post("[Rome](LOC) is old", id=str(number), label="neutral") for number in range(40)]
    predictions = []
    for model, label in (("baseline", "positive"), ("student", "neutral")):
        for post in posts:
            sides = {"gold": ["neutral"], "predicted": [label]}
            predictions.append(ClassPrediction(id=post.id, split="test", model=model, task="sentiment", **sides))
    training = [build_post("Rome is big", id="t", label="neutral")]
    partitions = list_partitions("sentiment", training, {})

    rows = compute_buckets(predictions, {"test": posts}, partitions, seed=1, resamples=100)

    figures = {row.by: (row.bucket, row.posts, row.mentions, row.difference) for row in rows}
    assert figures == {
        "post length": ("short", 40, 40, 100),
        "words seen": ("fewer", 40, 40, 100),
        "picture": ("without", 40, 40, 100),
        "knowledge": ("without", 40, 40, 100),
    }


def test_every_pair_of_rows_that_was_scored_is_compared():
    posts = build_test_posts(40)
    predictions = []
    for model in ("baseline", "control", "student", "knowledge"):
        predictions += predict(posts, model, list_all)

    rows = compare(posts, predictions)

    assert {key[:2] for key in rows} == {
        ("student", "baseline"),
        ("student", "control"),
        ("knowledge", "baseline"),
    }


def test_only_differences_that_survive_the_correction_are_called_certain():
    figures = {"posts": 40, "mentions": 40, "score": 1, "score_against": 1, "split": "test"}
    rows = [
        BucketRow(
            row="student", against="baseline", by="picture", bucket=bucket, difference=gap, p_holm=p, **figures
        )
        for bucket, gap, p in (("a", 1, 0.04), ("b", -3, 0.01), ("c", 9, 0.2), ("d", 9, None))
    ]

    assert [row.bucket for row in select_certain(rows)] == ["b", "a"]


def test_rows_that_were_written_are_read_again_and_two_runs_write_the_same_bytes(tmp_path):
    posts = build_test_posts(40)
    predictions = [*predict(posts, "baseline", lambda number, gold: []), *predict(posts, "student", list_all)]

    for name in ("first", "second"):
        write_rows(tmp_path / name, compare(posts, predictions).values())

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert read_rows(tmp_path / "first", BucketRow) == list(compare(posts, predictions).values())
