"""Padding encoded examples into arrays or tensors, in batches of about equal length.

Trade-off: examples of like length go together, which leaves little padding and makes batches a bit less random.
torch is imported only to make tensors, so that an exported student predicts without it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cotpd.student.views import Encoded, ExampleEncoder, View
from cotpd.student.windows import Ids

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_USUAL_LENGTH = 512  # sub-words: a longer post counts as several
_POOL = 16  # batches that are sorted by length together: a larger pool saves little padding, and shuffles less


class BatchArrays(NamedTuple):
    """One view of some examples: N windows of L sub-words, B examples of T states."""

    ids: Ids  # (N, L): sub-words; ids from the vocabulary's size on are markers
    attention: np.ndarray  # (N, L): true where there is a sub-word, false at padding
    window_of_state: Ids  # (B, T)
    position_of_state: Ids  # (B, T): in that window, the cls token counted
    mask: np.ndarray  # (B, T): true where there is a state, false at padding
    targets: Ids  # (B, T) tags, or (B, 1) relations


@dataclass(frozen=True, slots=True)
class Batch:
    """The tensors of a batch, field by field as in :class:`BatchArrays`."""

    ids: "Tensor"
    attention: "Tensor"
    window_of_state: "Tensor"
    position_of_state: "Tensor"
    mask: "Tensor"
    targets: "Tensor"
    example_ids: tuple[str, ...]

    def to(self, device: "torch.device") -> "Batch":
        """Return the same batch on another device."""
        return Batch(
            ids=self.ids.to(device),
            attention=self.attention.to(device),
            window_of_state=self.window_of_state.to(device),
            position_of_state=self.position_of_state.to(device),
            mask=self.mask.to(device),
            targets=self.targets.to(device),
            example_ids=self.example_ids,
        )


def collate(encoded: Sequence[Encoded], view: View, encoder: ExampleEncoder) -> Batch:
    """Return at least one example as padded tensors of one view; the model itself inserts the prompt vectors."""
    import torch  # noqa: PLC0415  see the head

    arrays = collate_arrays(encoded, view, encoder)._asdict()
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return Batch(**tensors, example_ids=tuple(example.id for example in encoded))


def collate_arrays(encoded: Sequence[Encoded], view: View, encoder: ExampleEncoder) -> BatchArrays:
    """Return at least one example as padded arrays of one view."""
    windows = []
    for example in encoded:
        windows += [_add_specials(window, example, view, encoder) for window in example.windows]
    first_windows = np.cumsum([0] + [len(example.windows) for example in encoded])[:-1]
    window_of_state = [
        example.window_of_state + first for example, first in zip(encoded, first_windows, strict=True)
    ]

    return BatchArrays(
        ids=_pad(windows, encoder.pad),
        attention=_mark_filled(windows),
        window_of_state=_pad(window_of_state, 0),
        position_of_state=_pad([example.position_of_state + 1 for example in encoded], 0),
        mask=_mark_filled(window_of_state),
        targets=_pad([example.targets for example in encoded], 0),
    )


def _add_specials(window: Ids, example: Encoded, view: View, encoder: ExampleEncoder) -> Ids:
    """Return cls, the window and sep, and in the knowledge view the knowledge, as far as there is room."""
    parts: list[Ids] = [np.asarray([encoder.cls]), window, np.asarray([encoder.sep])]
    room = encoder.params.knowledge_length - len(window) - 2
    if view == "knowledge" and room > 1 and len(example.knowledge):
        knowledge = example.knowledge[:room].copy()
        knowledge[-1] = encoder.sep  # knowledge that was cut ends with sep too
        parts.append(knowledge)
    return np.concatenate(parts)


def _pad(rows: Sequence[Ids], value: int) -> Ids:
    """Return rows of unequal length as one array, (rows, longest), filled up with a value."""
    padded = np.full((len(rows), max(len(row) for row in rows)), value, np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def _mark_filled(rows: Sequence[Ids]) -> np.ndarray:
    """Return which places of padded rows are filled, boolean (rows, longest)."""
    lengths = np.asarray([len(row) for row in rows])
    return np.arange(lengths.max()) < lengths[:, None]


def measure_sizes(encoded: Sequence[Encoded], encoder: ExampleEncoder) -> list[tuple[int, int]]:
    """Return the key that examples are sorted by: sub-words with knowledge, as far as it is read, and without."""
    longest = encoder.params.knowledge_length
    return [
        (min(example.size + len(example.knowledge), max(longest, example.size)), example.size)
        for example in encoded
    ]


def order_for_training(
    sizes: Sequence[tuple[int, int]], batch_size: int, generator: np.random.Generator
) -> list[list[int]]:
    """Return shuffled batches of examples of like size; the same generator state gives the same batches."""
    shuffled = generator.permutation(len(sizes))
    batches: list[list[int]] = []
    for start in range(0, len(shuffled), _POOL * batch_size):
        pool = sorted(shuffled[start : start + _POOL * batch_size].tolist(), key=lambda index: sizes[index])
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


def order_for_reading(sizes: Sequence[tuple[int, int]], batch_size: int) -> Iterator[list[int]]:
    """Yield batches by falling size: the largest comes first, so that memory runs out at once or never.

    Long posts come in smaller batches: none holds more sub-words than ``batch_size`` posts of 512.
    """
    order = sorted(range(len(sizes)), key=lambda index: sizes[index], reverse=True)
    start = 0
    while start < len(order):
        longest = max(1, sizes[order[start]][0])
        count = min(batch_size, max(1, batch_size * _USUAL_LENGTH // longest))
        yield order[start : start + count]
        start += count
