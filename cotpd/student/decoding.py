"""Viterbi and n-best decoding of linear chains, for whole batches.

Trade-off: the best path is searched from both ends at once and joined in the middle, which halves the number of
sequential steps at the price of some index arithmetic; with few tags the steps, not the sums, are the cost. For
the same reason NumPy computes on a CPU: its calls cost a third of torch's. One text serves both, in the words that
they share; torch's threads take over where the sums of a step outweigh its calls.
"""

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = Any  # np.ndarray or Tensor

_SMALL = 2**15  # sums a step, below which NumPy is the faster one


def viterbi(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """The best tag sequence of each chain (Viterbi 1967), searched from both ends.

    Args:
        emissions: (batch, T, K); what stands beyond a length is ignored.
        start, end: (K,).
        transitions: (K, K), from row to column.
        lengths: (batch,), each between 1 and T.

    Returns:
        Tags (batch, T), zero beyond a length, and their scores (batch,).
    """
    given = (emissions, start, transitions, end, lengths)
    if torch.compiler.is_compiling():  # which takes minutes over writes into parts of tables
        paths, ranked = n_best(*given, 1)
        return paths[:, 0], ranked[:, 0]
    if emissions.device.type == "cpu":
        tags, scores = map(torch.from_numpy, _viterbi(np, *(one.detach().numpy() for one in given)))
    else:
        tags, scores = _viterbi(torch, *given)
    return tags.T.contiguous(), scores


def _viterbi(
    xp: ModuleType, emissions: Array, start: Array, transitions: Array, end: Array, lengths: Array
) -> tuple[Array, Array]:
    """The same by NumPy or torch, with tags as (T, batch).

    What is known of the searches stands in tables with a row for each tick, side and chain, in this order.
    """
    batch, steps, tags = emissions.shape
    device = emissions.device
    left = (lengths + 1) // 2  # positions that the forward search covers; the backward search has the rest
    right = lengths - left
    half = (steps + 1) // 2
    columns = xp.arange(batch, device=device)
    ticks = xp.arange(half + 1, device=device)[:, None, None]
    side = xp.arange(2, device=device)[:, None]
    searched = side * (lengths - 1) + ticks * (1 - 2 * side)  # (half + 1, 2, batch): positions
    emit = _rows(xp, emissions.reshape(-1, tags), columns * steps + searched.clip(0, steps - 1))
    after = _search(xp, emit, start, transitions, end)
    met = _rows(xp, after, ((right - 1).clip(0) * 2 + 1) * batch + columns)  # the backward search at its last
    onward = xp.amax(transitions.T[..., None] + met.T[:, None], 0).T  # (batch, K)
    rest = xp.where(right[:, None] > 0, onward, end)
    total = _rows(xp, after, (left - 1) * 2 * batch + columns) + rest  # (batch, K)
    middle = xp.argmax(total, -1)
    reach = (xp.stack([left, right + 1]) - 1 - ticks[1:]).clip(0)  # (half, 2, batch), from the middle outwards
    history = _rows(xp, after, (reach * 2 + side) * batch + columns)
    path = _walk(xp, history.reshape(half, 2 * batch, tags), middle, transitions)
    at = xp.arange(steps, device=device)[:, None]
    before = left - 1 - at  # (T, batch), of the middle; negative behind it
    walked = xp.where(before < 0, 1 - 2 * before, 2 * before).clip(0, 2 * half + 1)
    return xp.where(at < lengths, xp.take(path, walked * batch + columns), 0), xp.amax(total, -1)


def _rows(xp: ModuleType, table: Array, at: Array) -> Array:
    """Rows of a table (N, K) at (...,), as (..., K), in each library's fastest way."""
    if xp is np:
        return table.take(at, 0)
    return table.index_select(0, at.flatten()).view(*at.shape, -1)


def _search(xp: ModuleType, emit: Array, start: Array, transitions: Array, end: Array) -> Array:
    """Best scores up to each position, its emission included: a table, for emissions (ticks, 2, batch, K).

    The table takes the memory of ``emit``, which the caller gives up.
    Tags come first here: a maximum over the first dimension of an array is many times faster than over the last.
    """
    ticks, _, batch, tags = emit.shape
    best = xp.empty_like(emit).reshape(ticks, tags, 2, batch)
    best[...] = xp.moveaxis(emit, -1, 1)
    best[0] += xp.stack([start, end], -1)[..., None]
    room = xp.empty((tags, tags, 2, batch), dtype=emit.dtype, device=emit.device)
    links, reached = xp.empty_like(room), xp.empty_like(best[0])
    links[...] = xp.stack([transitions, transitions.T], -1)[..., None]  # (from, to, 2, 1)
    add, largest, b = xp.add, np.maximum.reduce if xp is np else torch.amax, list(best)
    if xp is np and room.size >= _SMALL:
        add, largest = torch.add, torch.amax
        room, links, reached, *b = map(torch.from_numpy, (room, links, reached, *b))  # the same memory
    for source, target in itertools.pairwise(b):
        add(source[:, None], links, out=room)
        largest(room, 0, out=reached)
        target += reached
    emit[...] = xp.moveaxis(best, 1, -1)
    return emit.reshape(-1, tags)


def _walk(xp: ModuleType, history: Array, middle: Array, transitions: Array) -> Array:
    """From the middle to both ends along the best predecessors, (ticks + 1, 2 * batch).

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
    argmax = np.ndarray.argmax if xp is np else torch.argmax
    for scores, (tag, before) in zip(history, itertools.pairwise(path), strict=True):
        room = _rows(xp, links, tag + shift)
        room += scores
        argmax(room, -1, out=before)
    return path


def n_best(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor, n: int
) -> tuple[Tensor, Tensor]:
    """The n best tag sequences of each chain, best first.

    Args:
        emissions, start, transitions, end, lengths: As for :func:`viterbi`.
        n: How many.

    Returns:
        Tags (batch, n, T), zero beyond a length, and scores (batch, n), -inf where a chain has fewer sequences.
    """
    batch, steps, tags = emissions.shape
    state = emissions.new_full((batch, tags, n), -torch.inf)
    state[..., 0] = start + emissions[:, 0]
    pointers = []
    for t in range(1, steps):
        reached = state.view(batch, 1, tags * n) + transitions.T.repeat_interleave(n, 1)  # (batch, K, K * n)
        best, pointer = reached.topk(n, -1)
        going = (t < lengths).view(-1, 1, 1)
        state = torch.where(going, best + emissions[:, t].unsqueeze(-1), state)
        stay = torch.arange(tags * n, device=state.device).view(1, tags, n)
        pointers.append(torch.where(going, pointer, stay).flatten(1))
    scores, at = (state + end.unsqueeze(-1)).flatten(1).topk(n, -1)  # (batch, n)
    path = [at]
    for pointer in reversed(pointers):
        path.append(pointer.gather(1, path[-1]))
    found = torch.stack(path[::-1], -1).div(n, rounding_mode="floor")  # (batch, n, T)
    inside = torch.arange(steps, device=state.device) < lengths.view(-1, 1, 1)
    return torch.where(inside, found, 0), scores
