"""From encoded examples to padded tensors, in batches of about equal length.

Trade-off: examples of like length go together, which leaves little padding and makes batches a bit less random.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotpd.student.views import Encoded, Ids, Tokenization, View

_USUAL = 512  # sub-words: longer posts count as several
_POOL = 16  # batches that are sorted by length together: more save little padding, and shuffle less


@dataclass(frozen=True, slots=True)
class Batch:
    """One view of some examples: N windows of L sub-words, B examples of T states."""

    ids: Tensor  # (N, L); vocabulary and above: markers
    attention: Tensor  # (N, L): true where there is a sub-word
    rows: Tensor  # (B, T): window of each state
    places: Tensor  # (B, T): its position there
    mask: Tensor  # (B, T): true where there is a state
    targets: Tensor  # (B, T) tags, or (B, 1) relations
    names: tuple[str, ...]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        tensors = (self.ids, self.attention, self.rows, self.places, self.mask, self.targets)
        return Batch(*(tensor.to(device) for tensor in tensors), names=self.names)


def collate(encoded: Sequence[Encoded], view: View, tokens: Tokenization) -> Batch:
    """Pad some examples into one view; the prompt's places are made by the model, not here."""
    windows = [_window(window, one, view, tokens) for one in encoded for window in one.windows]
    first = np.cumsum([0] + [len(one.windows) for one in encoded])
    ids = _padded(windows, tokens.pad)
    lengths = torch.tensor([len(window) for window in windows])
    states = torch.tensor([len(one.rows) for one in encoded])
    return Batch(
        ids=ids,
        attention=torch.arange(ids.shape[1]) < lengths.unsqueeze(1),
        rows=_padded([one.rows + at for one, at in zip(encoded, first, strict=False)], 0),
        places=_padded([one.places + 1 for one in encoded], 0),
        mask=torch.arange(int(states.max())) < states.unsqueeze(1),
        targets=_padded([one.targets for one in encoded], 0),
        names=tuple(one.id for one in encoded),
    )


def _window(window: Ids, one: Encoded, view: View, tokens: Tokenization) -> Ids:
    parts = [[tokens.cls], window, [tokens.sep]]
    room = tokens.params.knowledge_length - len(window) - 2
    if view == "knowledge" and room > 1 and len(one.knowledge):
        knowledge = one.knowledge[:room].copy()
        knowledge[-1] = tokens.sep  # also where it was cut
        parts.append(knowledge)
    return np.concatenate(parts)


def _padded(rows: Sequence[Ids], value: int) -> Tensor:
    out = np.full((len(rows), max(len(row) for row in rows)), value, np.int64)
    for at, row in enumerate(rows):
        out[at, : len(row)] = row
    return torch.from_numpy(out)


def sizes(encoded: Sequence[Encoded], tokens: Tokenization) -> list[tuple[int, int]]:
    """What examples are sorted by: the length with knowledge, as far as it is read, and without."""
    most = tokens.params.knowledge_length
    return [(min(one.size + len(one.knowledge), max(most, one.size)), one.size) for one in encoded]


def training_order(sizes: Sequence[tuple[int, int]], batch_size: int, rng: np.random.Generator) -> list[list[int]]:
    """Shuffled batches of examples of like size; the same generator state gives the same batches."""
    shuffled = rng.permutation(len(sizes))
    batches: list[list[int]] = []
    for at in range(0, len(shuffled), _POOL * batch_size):
        pool = sorted(shuffled[at : at + _POOL * batch_size].tolist(), key=lambda i: sizes[i])
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def reading_order(sizes: Sequence[tuple[int, int]], batch_size: int) -> Iterator[list[int]]:
    """Batches by falling size: the largest first, so that memory runs out at once or never.

    A batch is smaller than asked for where, padded to its longest, it would be longer than as many usual posts.
    """
    order = sorted(range(len(sizes)), key=lambda i: sizes[i], reverse=True)
    at = 0
    while at < len(order):
        fit = max(1, batch_size * _USUAL // max(1, sizes[order[at]][0]))
        yield order[at : at + min(batch_size, fit)]
        at += min(batch_size, fit)
