"""Where in a post the prompt generator looks: the attention of its queries, sub-words summed to words.

Trade-off: it is the last layer's attention, averaged over heads, as the model computes it anyway. It shows what
the prompt vectors were made from, and neither what they say nor what decided a label (Jain and Wallace 2019,
arXiv 1902.10186).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from cotpd.student.batches import collate
from cotpd.student.examples import Example
from cotpd.student.student import Student
from cotpd.student.views import Ids


class PromptAttention(NamedTuple):
    """Of one post. Each query's weights on the words and on what is no word sum to 1.

    ``queries`` has shape (m, words), ``borders`` (m,): the weight on special tokens and on the markers of a pair.
    """

    queries: np.ndarray
    borders: np.ndarray

    @property
    def words(self) -> np.ndarray:
        """The mean over the queries, (words,)."""
        return self.queries.mean(0)

    def strongest(self, count: int) -> list[list[tuple[int, float]]]:
        """For each query the words that it looks at most, with their weights, the strongest first."""
        order = np.argsort(-self.queries, axis=1, kind="stable")[:, :count]
        return [[(int(i), float(row[i])) for i in some] for row, some in zip(self.queries, order, strict=True)]


def prompt_attention(student: Student, examples: Sequence[Example]) -> list[PromptAttention | None]:
    """The attention over each example; None of a student that reads no prompts.

    A post that is read in several windows has prompts of its own in each; their weights are averaged.
    """
    return [_of(student, example) for example in examples]


def _of(student: Student, example: Example) -> PromptAttention | None:
    if student.views[0] != "prompt":
        return None
    [encoded] = student.tokens.encode([example.model_copy(update={"entities": (), "label": None})])
    with torch.inference_mode():
        weights = student.model.attention(collate([encoded], "prompt", student.tokens).to(student.device))
    if weights is None:  # prompt_length 0
        return None
    parts = [
        _by_word(one, window, len(example.tokens))
        for one, window in zip(weights.double().cpu().numpy(), student.tokens.owners(example), strict=True)
    ]
    queries = np.mean(parts, 0)
    return PromptAttention(queries, 1 - queries.sum(1))


def _by_word(weights: np.ndarray, owners: Ids, words: int) -> np.ndarray:
    """Sums over the sub-words of each word: (m, L) becomes (m, words); cls stands before the window."""
    found = np.zeros((words, len(weights)))
    real = np.flatnonzero(owners >= 0)
    np.add.at(found, owners[real], weights[:, real + 1].T)
    return found.T
