"""Where in a post the prompt generator looks: the attention of its queries, sub-words summed to words.

Trade-off: it is the last layer's attention, averaged over heads, as the model computes it anyway. It shows what
the prompt vectors were made from, and neither their meaning nor what decided a label (Jain and Wallace 2019,
arXiv 1902.10186).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from cotpd.student.batches import collate
from cotpd.student.examples import Example, remove_labels
from cotpd.student.student import Student
from cotpd.student.windows import Ids


class PromptAttention(NamedTuple):
    """The attention over one post. Each query's weights on words and its weight elsewhere sum to 1.

    ``queries`` has shape (m, words); ``elsewhere``, (m,), is the weight on special tokens and on the markers of a
    pair.
    """

    queries: np.ndarray
    elsewhere: np.ndarray

    @property
    def words(self) -> np.ndarray:
        """The mean over the queries, (words,)."""
        mean: np.ndarray = self.queries.mean(0)
        return mean

    def find_strongest(self, count: int) -> list[list[tuple[int, float]]]:
        """Return, for each query, the words with the largest weights, the largest first: (word index, weight)."""
        order = np.argsort(-self.queries, axis=1, kind="stable")[:, :count]
        return [
            [(int(word), float(weights[word])) for word in words]
            for weights, words in zip(self.queries, order, strict=True)
        ]


def compute_prompt_attention(student: Student, examples: Sequence[Example]) -> list[PromptAttention | None]:
    """Return the attention over each example; None where the student reads no prompts.

    A post that is read in several windows has prompts of its own in each; their weights are averaged.
    """
    return [_attend(student, example) for example in examples]


def _attend(student: Student, example: Example) -> PromptAttention | None:
    if student.views[0] != "prompt":
        return None
    encoder = student.example_encoder
    encoded = encoder.encode([remove_labels(example)])
    with torch.inference_mode():
        batch = collate(encoded, "prompt", encoder).to(student.device)
        attention = student.model.compute_prompt_attention(batch)  # (windows, m, L)
    if attention is None:  # prompt_length 0
        return None

    windows = zip(attention.double().cpu().numpy(), encoder.find_word_indices(example), strict=True)
    summed = [_sum_by_word(weights, words, len(example.tokens)) for weights, words in windows]
    queries = np.mean(summed, 0)
    return PromptAttention(queries, 1 - queries.sum(1))


def _sum_by_word(weights: np.ndarray, words: Ids, count: int) -> np.ndarray:
    """Sum weights (m, L) over the sub-words of each word: (m, count).

    Args:
        weights: The weights of the positions of a window, cls at 0.
        words: The word index of each sub-word of the window, cls left out; -1 for a marker.
        count: Words of the post.
    """
    sums = np.zeros((count, len(weights)))
    positions = np.flatnonzero(words >= 0)
    np.add.at(sums, words[positions], weights[:, positions + 1].T)
    return sums.T
