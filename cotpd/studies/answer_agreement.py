"""How far two sources of knowledge agree: in words, in the mentions that they name, and in the sorts of these.

Trade-off: words are compared, not meaning, so a paraphrase counts as disagreement. Each figure is corrected for
chance: words by what answers about different posts share, names and types by Cohen's kappa.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from cotpd.data.records import SPLITS, Kind, Post, Record, iterate_posts
from cotpd.knowledge.word_overlap import compute_overlap, count_words
from cotpd.studies.changes import Tables
from cotpd.studies.inputs import Sources
from cotpd.studies.study import NamedStudy

Answers = Mapping[str, Mapping[Kind, str]]  # by post id
_SHIFTS = 10  # answers about so many other posts say what two share by chance
_LEAST = 5  # mentions below which no kappa is stated
_TYPE_WORDS = {
    "person": "person people man woman player singer actor actress astronaut scientist friend cat dog pet",
    "place": "place city country town state street building museum river park planet location",
    "organisation": "organisation organization company agency team club band university school party",
    "thing": "work product event film book song ship rocket spacecraft mission award festival language",
}
_TYPE_OF: dict[str, str] = {}
for _name, _words in _TYPE_WORDS.items():
    _TYPE_OF |= dict.fromkeys(_words.split(), _name)


class Agreement(Record):
    """The agreement of two cells' answers, on the posts about which both have some."""

    first: str
    second: str
    posts: int
    words: float
    """Mean F1 of the words that two answers about one post share."""
    by_chance: float
    """The same of answers about different posts."""
    corrected: float
    """(words - by_chance) / (1 - by_chance), with its 95 % interval over posts."""
    low: float
    high: float
    mentions: int
    naming: float | None = None
    """Cohen's kappa of whether a mention of the post is named; None if there are too few, or all are."""
    named_by_both: int = 0
    typing: float | None = None
    """Cohen's kappa of the sort (person, place, organisation, thing) that mentions named by both are given."""


def compare_answers(
    names: tuple[str, str], first: Answers, second: Answers, posts: Sequence[Post], *, seed: int
) -> Agreement | None:
    """Compare two sources; None if fewer than two posts have answers of one kind by both.

    Args:
        names: The names of the cells.
        first, second: Answers by post id and kind.
        posts: The posts, with the mentions that answers may name.
        seed: The seed of the bootstrap.
    """
    shared = [post for post in posts if first.get(post.id, {}).keys() & second.get(post.id, {}).keys()]
    if len(shared) < 2:
        return None
    pairs = [_join_answers(first[post.id], second[post.id]) for post in shared]
    same, different = _compare_words(pairs)
    corrected, low, high = _subtract_chance(same, different, seed)
    sorts = [_list_sorts(post, *pair) for post, pair in zip(shared, pairs, strict=True)]
    mentions = list(chain.from_iterable(sorts))
    named_twice = [(left, right) for left, right in mentions if left and right]
    return Agreement(
        first=names[0],
        second=names[1],
        posts=len(shared),
        words=float(same.mean()),
        by_chance=float(different.mean()),
        corrected=corrected,
        low=low,
        high=high,
        mentions=len(mentions),
        naming=_compute_kappa([(bool(left), bool(right)) for left, right in mentions]),
        named_by_both=len(named_twice),
        typing=_compute_kappa(named_twice),
    )


def compare_sources(named: NamedStudy, sources: Sources) -> Iterator[Agreement]:
    """Yield the agreement of each two compared cells whose answers come from different sources."""
    study = named.study
    names_here = {cell.name for cell in study.cells if cell.reads_answers}
    for comparison in study.comparisons:
        names = (comparison.first, comparison.second)
        cells = [study.get_cell(name) for name in names if name in names_here]
        changes = [study.list_changes(cell) for cell in cells]
        if len({change.source for change in changes}) < 2:
            continue
        first, second = (
            sources.get_tables(study.data_sets[study.get_data_set(cell.train_on)], change)
            for cell, change in zip(cells, changes, strict=True)
        )
        posts = _list_shared_posts(first, second)
        agreement = compare_answers(
            names, first.knowledge, second.knowledge, posts, seed=named.params[names[0]].seed
        )
        if agreement is not None:
            yield agreement


def _list_shared_posts(first: Tables, second: Tables) -> list[Post]:
    """Return the posts of both; posts of two data sets may have one id and different texts."""
    texts = {post.id: post.text for post in _list_labelled(second)}
    return [post for post in _list_labelled(first) if texts.get(post.id) == post.text]


def _list_labelled(tables: Tables) -> list[Post]:
    return [*iterate_posts({split: tables.posts.get(split, ()) for split in SPLITS})]


def _join_answers(first: Mapping[Kind, str], second: Mapping[Kind, str]) -> tuple[str, str]:
    kinds = [kind for kind in Kind if kind in first and kind in second]
    return " ; ".join(first[kind] for kind in kinds), " ; ".join(second[kind] for kind in kinds)


def _compare_words(pairs: Sequence[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each post the F1 of its own two answers, and the mean F1 with answers about other posts."""
    bags = [(count_words(left), count_words(right)) for left, right in pairs]
    shifts = range(1, min(_SHIFTS, len(bags) - 1) + 1)
    same = [compute_overlap(left, right) for left, right in bags]
    different = []
    for index, (left, _) in enumerate(bags):
        foreign = [bags[(index + shift) % len(bags)][1] for shift in shifts]
        different.append(float(np.mean([compute_overlap(left, right) for right in foreign])))
    return np.array(same), np.array(different)


def _subtract_chance(same: np.ndarray, different: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Return the corrected agreement and its 95 % interval, from figures of each post, (posts,)."""
    drawn = np.random.default_rng(seed).integers(0, len(same), (1000, len(same)))  # (draws, posts)
    observed, chance = same[drawn].mean(1), different[drawn].mean(1)
    low, high = np.percentile((observed - chance) / np.maximum(1 - chance, 1e-9), [2.5, 97.5])
    point = (same.mean() - different.mean()) / max(1 - different.mean(), 1e-9)
    return float(point), float(low), float(high)


def _list_sorts(post: Post, first: str, second: str) -> list[tuple[str, str]]:
    """Return for each mention of a post the sort that either answer gives it; "" if an answer does not name it."""
    names = dict.fromkeys(post.get_mention(entity) for entity in post.entities)
    return [(_find_sort(name, first), _find_sort(name, second)) for name in names]


def _find_sort(mention: str, answer: str) -> str:
    """Return the first word for a sort behind a mention in its clause; "other" without one, "" if not named."""
    match = re.search(rf"(?<!\w){re.escape(mention)}(?!\w)([^;.]*)", answer, re.IGNORECASE)
    if match is None:
        return ""
    words = re.findall(r"\w+", match[1].casefold())
    return next((_TYPE_OF[word] for word in words if word in _TYPE_OF), "other")


def _compute_kappa(pairs: Sequence[tuple[object, object]]) -> float | None:
    """Return Cohen's kappa; None with fewer than a handful of pairs, or where both sides always say the same."""
    if len(pairs) < _LEAST or len(set(chain.from_iterable(pairs))) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score  # noqa: PLC0415  heavy, and few studies need it

    left, right = zip(*[(str(first), str(second)) for first, second in pairs], strict=True)
    return float(cohen_kappa_score(left, right))
