"""The search for the best path of linear chains, in the words that NumPy and torch share.

Trade-off: the best path is searched from both ends at once and joined in the middle, which halves the number of
sequential steps at the price of some index arithmetic; with few tags the steps, not the sums, are the cost. torch
is handed in and not imported, since an exported student is decoded without it.
"""

import itertools
from types import ModuleType
from typing import Any

import numpy as np

Array = Any  # np.ndarray or Tensor

_SMALL = 2**15  # sums a step, below which NumPy is faster than torch's threads


def search_both_ends(
    xp: ModuleType,
    emissions: Array,
    start: Array,
    transitions: Array,
    end: Array,
    lengths: Array,
    *,
    threaded: ModuleType | None = None,
) -> tuple[Array, Array]:
    """Return the best tags, (T, batch), and their scores (batch,).

    The states of the two searches are rows of tables, one for each tick (step of a search), side (0 forward, 1
    backward) and chain, in this order.

    Args:
        xp: NumPy or torch, which computes.
        emissions: (batch, T, K); values beyond a length are ignored.
        start, end: (K,).
        transitions: (K, K), from row to column.
        lengths: (batch,), each between 1 and T.
        threaded: torch, which takes over from NumPy where the sums of a step outweigh its calls.
    """
    batch, steps, tags = emissions.shape
    device = emissions.device
    left = (lengths + 1) // 2  # positions that the forward search covers; the backward search covers the others
    right = lengths - left
    half = (steps + 1) // 2
    columns = xp.arange(batch, device=device)
    ticks = xp.arange(half + 1, device=device)[:, None, None]
    side = xp.arange(2, device=device)[:, None]
    searched = side * (lengths - 1) + ticks * (1 - 2 * side)  # (half + 1, 2, batch): positions
    emit = _take_rows(xp, emissions.reshape(-1, tags), columns * steps + searched.clip(0, steps - 1))
    after = _find_best_scores(xp, emit, start, transitions, end, threaded)

    # join the searches: the best score of a whole chain by its tag in the middle
    backward = _take_rows(xp, after, ((right - 1).clip(0) * 2 + 1) * batch + columns)  # at its last position
    best_backward = xp.amax(transitions.T[..., None] + backward.T[:, None], 0).T  # (batch, K)
    behind = xp.where(right[:, None] > 0, best_backward, end)
    total = _take_rows(xp, after, (left - 1) * 2 * batch + columns) + behind  # (batch, K)
    middle = xp.argmax(total, -1)

    # walk back from the middle to both ends
    reach = (xp.stack([left, right + 1]) - 1 - ticks[1:]).clip(0)  # (half, 2, batch), from the middle outwards
    history = _take_rows(xp, after, (reach * 2 + side) * batch + columns)
    path = _walk_to_ends(xp, history.reshape(half, 2 * batch, tags), middle, transitions)
    return _order_by_position(xp, path, steps, lengths), xp.amax(total, -1)


def _order_by_position(xp: ModuleType, path: Array, steps: int, lengths: Array) -> Array:
    """Return the tags of a walk from the middle, (ticks + 1, 2 * batch), by position: (steps, batch).

    Position left - 1, the middle, is in row 0 of the forward search; the row counts the steps away from it.
    Positions beyond a length hold zero.
    """
    batch = len(lengths)
    left = (lengths + 1) // 2
    positions = xp.arange(steps, device=lengths.device)[:, None]
    distance = left - 1 - positions  # (T, batch): from the middle; negative behind it
    blocks = xp.where(distance < 0, 1 - 2 * distance, 2 * distance)  # of batch tags: 2 * row + side
    index = blocks.clip(0, 2 * len(path) - 1) * batch + xp.arange(batch, device=lengths.device)
    return xp.where(positions < lengths, xp.take(path, index), 0)


def _take_rows(xp: ModuleType, table: Array, index: Array) -> Array:
    """Return rows of a table (N, K) at an index (...,), as (..., K), by each library's fastest call."""
    if xp is np:
        return table.take(index, 0)
    return table.index_select(0, index.flatten()).view(*index.shape, -1)


def _find_best_scores(
    xp: ModuleType, emit: Array, start: Array, transitions: Array, end: Array, threaded: ModuleType | None
) -> Array:
    """Return the best score up to each position, by tag, its emission included: (ticks * 2 * batch, K).

    The table overwrites ``emit``, (ticks, 2, batch, K). Within this function tags are the first dimension: a
    maximum over the first dimension of an array is many times faster than over the last.
    """
    ticks, _, batch, tags = emit.shape
    best = xp.empty_like(emit).reshape(ticks, tags, 2, batch)
    best[...] = xp.moveaxis(emit, -1, 1)
    best[0] += xp.stack([start, end], -1)[..., None]
    sums = xp.empty((tags, tags, 2, batch), dtype=emit.dtype, device=emit.device)
    links, largest = xp.empty_like(sums), xp.empty_like(best[0])
    links[...] = xp.stack([transitions, transitions.T], -1)[..., None]  # (from, to, 2, 1)

    add: Any = xp.add
    maximize: Any = np.maximum.reduce if xp is np else xp.amax
    positions = list(best)
    if xp is np and threaded is not None and sums.size >= _SMALL:
        add, maximize = threaded.add, threaded.amax
        # the tensors share their memory with the arrays, so that the results are in both
        sums, links, largest, *positions = map(threaded.from_numpy, (sums, links, largest, *positions))
    for source, target in itertools.pairwise(positions):
        add(source[:, None], links, out=sums)
        maximize(sums, 0, out=largest)
        target += largest
    emit[...] = xp.moveaxis(best, 1, -1)
    return emit.reshape(-1, tags)


def _walk_to_ends(xp: ModuleType, history: Array, middle: Array, transitions: Array) -> Array:
    """Return the tags from the middle to both ends along the best predecessors, (ticks + 1, 2 * batch).

    Args:
        xp: NumPy or torch.
        history: (ticks, 2 * batch, K), the scores of either search, last first.
        middle: (batch,), the tag where the searches meet.
        transitions: (K, K).
    """
    ticks, chains, tags = history.shape
    links = xp.concatenate([transitions.T, transitions])  # (2 K, K): given a tag, by predecessor
    shift = (xp.arange(chains, device=history.device) >= chains // 2) * tags
    path = xp.empty((ticks + 1, chains), dtype=xp.int64, device=history.device)
    path[0] = xp.concatenate([middle, middle])
    argmax: Any = np.ndarray.argmax if xp is np else xp.argmax
    for scores, (tag, before) in zip(history, itertools.pairwise(path), strict=True):
        sums = _take_rows(xp, links, tag + shift)
        sums += scores
        argmax(sums, -1, out=before)
    return path
