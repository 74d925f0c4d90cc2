"""Folds of cross-fitted teachers: what belongs together stays together, and labels are spread."""

from collections import Counter, defaultdict
from itertools import chain, combinations, product

import pytest

from cotpd.data.post_hashes import PostHashes, group_near_texts
from cotpd.data.records import Augmented, Kind
from cotpd.errors import DataError
from cotpd.pipeline.folds import FOLDS, NEAR, draw_folds, load_folds
from tests.builders import build_post

LABELS = ("PER",) * 20 + ("LOC",) * 10 + ("ORG",) * 5 + ("MISC",) * 5


def build_distinct_posts(labels=LABELS):
    """Build posts that share no two words in a row, with one mention each."""
    return [
        build_post(f"[name{number}]({label}) thing{number} word{number} end{number}", id=f"p{number}")
        for number, label in enumerate(labels)
    ]


def build_augmented(post, text=None, kind=Kind.STYLE):
    rewrite = build_post(text or f"other{post.id} words{post.id} here{post.id}", id=f"{post.id}~{kind.value}")
    return Augmented(post=rewrite, of=post.id, kind=kind)


def draw_posts(train, augmented=(), unlabelled=(), *, task="ner", count=5, seed=13):
    return draw_folds(train, list(augmented), unlabelled, task, count, seed)


def list_folds(folds):
    members = defaultdict(set)
    for name, fold in folds.examples.items():
        members[fold].add(name)
    return [members[fold] for fold in range(folds.count)]


def test_each_training_post_is_in_one_fold_and_each_teacher_may_be_asked_of_its_fold_alone():
    posts = build_distinct_posts()

    folds = draw_posts(posts)

    members = list_folds(folds)
    assert sorted(chain.from_iterable(members)) == sorted(post.id for post in posts)
    for fold, names in enumerate(members):
        assert folds.list_withheld(fold) == {post.id for post in posts} - names


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_fold_gets_its_share_of_each_label_and_of_all_posts(count):
    posts = build_distinct_posts()
    labels = {post.id: post.entities[0].type for post in posts}

    members = list_folds(draw_posts(posts, count=count))

    sizes = [len(names) for names in members]
    assert max(sizes) - min(sizes) <= 1
    for label in set(LABELS):
        holders = {name for name in labels if labels[name] == label}
        shares = [len(names & holders) for names in members]
        assert max(shares) - min(shares) <= 1, label


def test_a_label_that_only_two_posts_have_is_in_two_folds():
    posts = build_distinct_posts(("PER",) * 9)
    rare = [build_post(f"[a{n}](RARE) [b{n}]({other}) c{n}", id=f"r{n}") for n, other in enumerate(("PER", "LOC"))]

    folds = draw_posts([*posts, *rare], count=2)

    assert folds.examples["r0"] != folds.examples["r1"]


def test_an_augmented_post_is_in_the_fold_of_its_original():
    posts = build_distinct_posts()
    augmented = [build_augmented(post, kind=kind) for post, kind in product(posts, (Kind.STYLE, Kind.ENTITY))]

    folds = draw_posts(posts, augmented)

    for row in augmented:
        assert folds.examples[row.post.id] == folds.examples[row.of]


@pytest.mark.parametrize(
    "text",
    [
        "[name0](PER) thing0 word0 end0",
        "RT @someone: [NAME0](PER) thing0 word0 end0 !",
        "[name0](PER) thing0 word0 end0 https://example.org/1",
        "[name0](PER) thing0 word0 end0 indeed",
    ],
)
def test_near_and_repeated_posts_are_in_one_fold(text):
    posts = [*build_distinct_posts(), build_post(text, id="near")]

    for seed in range(5):
        folds = draw_posts(posts, seed=seed)
        assert folds.examples["near"] == folds.examples["p0"]


def test_posts_that_only_an_augmented_one_links_are_in_one_fold():
    posts = build_distinct_posts()
    link = build_augmented(posts[0], posts[1].text)

    for seed in range(5):
        folds = draw_posts(posts, [link], seed=seed)
        assert len({folds.examples[name] for name in ("p0", "p1", link.post.id)}) == 1


def test_a_post_without_labels_is_in_a_fold_only_if_it_is_near_a_training_post():
    posts = build_distinct_posts()
    unlabelled = [build_post(f"{posts[3].text} again", id="near"), build_post("nothing like it", id="free")]

    folds = draw_posts(posts, unlabelled=unlabelled)

    assert folds.examples["near"] == folds.examples["p3"]
    assert "free" not in folds.examples
    assert all("free" not in folds.list_withheld(fold) for fold in range(folds.count))


def test_pairs_of_one_post_are_in_one_fold_and_counted_by_their_labels():
    posts = [
        build_post(f"[a{n}](PER) b{n} [c{n}](LOC)", id=f"p#{n}", relations=[(0, 1, label), (1, 0, "None")])
        for n, label in enumerate(("knows", "at") * 6)
    ]

    folds = draw_posts(posts, task="re", count=3)

    assert set(folds.examples) == {f"p#{n}#{pair}" for n, pair in product(range(12), (0, 1))}
    assert all(folds.examples[f"p#{n}#0"] == folds.examples[f"p#{n}#1"] for n in range(12))
    knows = Counter(folds.examples[f"p#{n}#0"] for n in range(0, 12, 2))
    assert set(knows.values()) == {2}


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_the_posts():
    posts = build_distinct_posts()

    assert draw_posts(posts).examples == draw_posts(posts[::-1]).examples
    assert draw_posts(posts).examples != draw_posts(posts, seed=14).examples


def test_more_folds_than_groups_of_posts_are_refused_with_a_remedy():
    posts = build_distinct_posts()[:3]

    with pytest.raises(DataError, match=r"teach\.folds: 4 folds.* 3 groups"):
        draw_posts([*posts, build_post(posts[0].text, id="again")], count=4)


def test_groups_are_those_of_every_pair_that_is_near():
    words = [f"w{number}" for number in range(12)]
    texts = [" ".join(words[start : start + 9]) for start in range(4)]  # each is near the next one alone
    texts += ["something else", "Something ELSE!", "alone"]
    posts = [build_post(text, id=str(number)) for number, text in enumerate(texts)]
    expected = list(range(len(texts)))
    for _ in texts:
        for first, second in combinations(range(len(texts)), 2):
            [overlap] = PostHashes.build([posts[first]]).measure_overlaps([texts[second]])
            if overlap.similarity >= NEAR:
                low = min(expected[first], expected[second])
                expected[first] = expected[second] = low

    assert group_near_texts(texts, NEAR) == expected
    assert len(set(expected)) == 3


def test_soft_targets_without_folds_are_not_taken_for_out_of_fold_ones(tmp_path):
    assert load_folds(tmp_path) is None


@pytest.mark.parametrize("text", ["{", '{"count": 1, "examples": {}}', "[]"])
def test_damaged_folds_are_named_with_what_to_do(tmp_path, text):
    (tmp_path / FOLDS).write_text(text, "utf-8")

    with pytest.raises(DataError, match=r"folds\.json: .*\n.*teach"):
        load_folds(tmp_path)
