"""The training examples of a few-shot prompt.

Trade-off: examples that are drawn once are the same for every post. A server caches them, which makes a question
five times cheaper; the nearest ones teach more, and each question is then sent and computed whole. Nearness
is a ratio of whole numbers (shared character trigrams), so that no other processor orders examples differently and
buys their answers again.
"""

import random
from collections.abc import Callable, Sequence

import numpy as np

from cotpd.extraction.params import LlmRowParams
from cotpd.student.examples import Example

ChooseShots = Callable[[Example], list[Example]]


def build_chooser(pool: Sequence[Example], count: int, params: LlmRowParams) -> ChooseShots:
    """Return a function from an example to its shots, the nearest one last.

    A shot never has the text of the example itself, whose gold it would give away, nor that of another shot.

    Args:
        pool: Training examples, with their gold.
        count: How many to show; fewer if the pool has no more.
        params: How they are chosen.
    """
    by_text = {_normalize(example.text): example for example in reversed(pool)}
    unique = list(by_text.values())
    if count == 0 or not unique:
        return lambda _: []
    if params.choose == "similar":
        return _Nearest(unique, count)
    drawn = sorted(unique, key=lambda example: random.Random(f"{params.seed}/{example.id}").random())
    return lambda example: _drop_text(drawn[: count + 1], example)[:count]


class _Nearest:
    """Chooses the examples that share the most character trigrams (Jaccard)."""

    def __init__(self, pool: Sequence[Example], count: int) -> None:
        from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415  heavy, and few need it

        self._pool, self._count = pool, count
        self._vectorizer = CountVectorizer(analyzer="char_wb", ngram_range=(3, 3), binary=True, dtype=np.int64)
        texts = [_normalize(example.text) for example in pool]
        self._matrix = self._vectorizer.fit_transform(texts)  # (pool, trigrams)
        self._sizes = np.asarray(self._matrix.sum(1)).ravel()  # (pool,)

    def __call__(self, example: Example) -> list[Example]:
        row = self._vectorizer.transform([_normalize(example.text)])  # (1, trigrams)
        shared = np.asarray((self._matrix @ row.T).todense()).ravel()  # (pool,)
        nearness = shared / np.maximum(self._sizes + row.sum() - shared, 1)
        ranked = [self._pool[index] for index in np.argsort(-nearness, kind="stable")[: self._count + 1]]
        return _drop_text(ranked, example)[: self._count][::-1]


def _drop_text(examples: Sequence[Example], example: Example) -> list[Example]:
    return [shot for shot in examples if _normalize(shot.text) != _normalize(example.text)]


def _normalize(text: str) -> str:
    return " ".join(text.casefold().split())
