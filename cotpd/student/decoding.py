"""Viterbi and n-best decoding of linear chains, for whole batches.

Trade-off: the best path is searched from both ends at once and joined in the middle, which halves the number of
sequential steps at the price of some index arithmetic; with few tags the steps, not the sums, are the cost. For
the same reason the way back is walked by NumPy on a CPU, whose calls on small arrays cost a third of torch's.
"""

import numpy as np
import torch
from torch import Tensor


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
    batch, steps = emissions.shape[:2]
    device = emissions.device
    left = (lengths + 1) // 2  # positions that the forward search covers; the backward search has the rest
    right = lengths - left
    half = (steps + 1) // 2
    columns = torch.arange(batch, device=device)
    ticks = torch.arange(half + 1, device=device).view(-1, 1, 1)
    ends = torch.stack([torch.zeros_like(lengths), lengths - 1])  # (2, batch): where the searches begin
    side = torch.arange(2, device=device).view(2, 1)
    index = (ends + ticks * (1 - 2 * side)).clamp(0, steps - 1)
    rows = (columns * steps + index).flatten()  # one flat index costs half of an index for each dimension
    emit = emissions.reshape(batch * steps, -1).index_select(0, rows).view(*index.shape, -1)
    before, after = _search(emit, start, transitions, end)
    last, rest = (left - 1, 0, columns), (right, 1, columns)
    score, middle = (after[last] + before[rest]).max(-1)
    reach = (torch.stack([left, right + 1]) - 1 - ticks[1:]).clamp(min=0)  # (half, 2, batch)
    rows = ((reach * 2 + side) * batch + columns).flatten()
    history = after.reshape(-1, after.shape[-1]).index_select(0, rows).view(*reach.shape, -1)
    path = _walk(history, middle, transitions)
    at = torch.arange(steps, device=device).unsqueeze(1)  # (T, 1)
    forwards = at < left
    walked = torch.where(forwards, left - 1 - at, at - left + 1).clamp(0, half)
    found = path.take((walked * 2 + (~forwards).long()) * batch + columns)
    return torch.where(at < lengths, found, 0).T.contiguous(), score


def _search(emit: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Best scores up to each position, without and with its emission, (steps, 2, batch, K) like the emissions.

    Tags come first here: a maximum over the first dimension of a tensor is many times faster than over the last.
    """
    emit = emit.permute(0, 3, 1, 2).contiguous()  # (steps, K, 2, batch)
    links = torch.stack([transitions, transitions.T], -1).unsqueeze(-1)  # (from, to, 2, 1)
    links = links.expand(*links.shape[:-1], emit.shape[-1]).contiguous()
    before, after, room = torch.empty_like(emit), torch.empty_like(emit), torch.empty_like(links)
    before[0] = torch.stack([start, end], -1).unsqueeze(-1)
    torch.add(before[0], emit[0], out=after[0])
    b, a, e, sources = before.unbind(), after.unbind(), emit.unbind(), after.unsqueeze(2).unbind()
    for t in range(1, len(emit)):
        torch.add(sources[t - 1], links, out=room)
        torch.amax(room, 0, out=b[t])
        torch.add(b[t], e[t], out=a[t])
    return before.permute(0, 2, 3, 1), after.permute(0, 2, 3, 1)


def _walk(history: Tensor, middle: Tensor, transitions: Tensor) -> Tensor:
    """From the middle to both ends along the best predecessors, (steps + 1, 2, batch).

    Args:
        history: (steps, 2, batch, K), the scores of either search, last first.
        middle: (batch,), the tag where the searches meet.
        transitions: (K, K).
    """
    if history.device.type == "cpu" and not torch.compiler.is_compiling():
        return _walk_on_cpu(history, middle, transitions)
    steps, _, batch, tags = history.shape
    links = torch.cat([transitions.T, transitions])  # (2 K, K): given a tag, by predecessor
    shift = torch.tensor([0, tags], device=history.device).repeat_interleave(batch)
    path = torch.empty(steps + 1, 2 * batch, dtype=torch.long, device=history.device)
    path[0] = middle.repeat(2)
    p, h = path.unbind(), history.reshape(steps, 2 * batch, tags).unbind()
    for k in range(steps):
        torch.argmax(links.index_select(0, p[k] + shift).add_(h[k]), -1, out=p[k + 1])
    return path.view(steps + 1, 2, batch)


def _walk_on_cpu(history: Tensor, middle: Tensor, transitions: Tensor) -> Tensor:
    """The same as :func:`_walk`."""
    steps, _, batch, tags = history.shape
    onward = transitions.detach().numpy()
    links = np.concatenate([onward.T, onward])  # (2 K, K): given a tag, by predecessor
    shift = np.repeat([0, tags], batch)
    path = np.empty((steps + 1, 2 * batch), np.int64)
    path[0] = np.tile(middle.numpy(), 2)
    scores = history.detach().reshape(steps, 2 * batch, tags).numpy()
    room = np.empty_like(scores[0])
    for k in range(steps):
        links.take(path[k] + shift, 0, out=room, mode="clip")  # clip: out of bounds there is nothing to check
        room += scores[k]
        room.argmax(-1, out=path[k + 1])
    return torch.from_numpy(path).view(steps + 1, 2, batch)


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
