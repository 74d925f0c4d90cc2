"""Viterbi and n-best decoding of linear chains, for whole batches.

Trade-off: the best path is searched from both ends at once and joined in the middle, which halves the number of
sequential steps at the price of some index arithmetic; with few tags the steps, not the sums, are the cost. For
the same reason NumPy walks the way back on a CPU, and searches where the arrays are small: its calls cost a third
of torch's, which is more than torch's threads gain there.
"""

import numpy as np
import torch
from torch import Tensor

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
    after = _search(emit, start, transitions, end)
    met = after[(right - 1).clamp(min=0), 1, columns]  # (batch, K), the backward search at its last position
    rest = torch.where(right.unsqueeze(1) > 0, (met.unsqueeze(1) + transitions).amax(-1), end)
    score, middle = (after[left - 1, 0, columns] + rest).max(-1)
    reach = (torch.stack([left, right + 1]) - 1 - ticks[1:]).clamp(min=0)  # (half, 2, batch)
    path = _walk(after[reach, side, columns], middle, transitions)
    at = torch.arange(steps, device=device).unsqueeze(1)  # (T, 1)
    forwards = at < left
    walked = torch.where(forwards, left - 1 - at, at - left + 1).clamp(0, half)
    found = path.take((walked * 2 + (~forwards).long()) * batch + columns)
    return torch.where(at < lengths, found, 0).T.contiguous(), score


def _search(emit: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Best scores up to each position, its emission included, (steps, 2, batch, K) like the emissions.

    Tags come first here: a maximum over the first dimension of a tensor is many times faster than over the last.
    """
    best = emit.permute(0, 3, 1, 2).contiguous()  # (steps, K, 2, batch); the emissions give way to the scores
    links = torch.stack([transitions, transitions.T], -1).unsqueeze(-1)  # (from, to, 2, 1)
    links = links.expand(*links.shape[:-1], best.shape[-1]).contiguous()
    room, reached = torch.empty_like(links), torch.empty_like(best[0])
    best[0] += torch.stack([start, end], -1).unsqueeze(-1)
    if _on_cpu(best) and room.numel() < _SMALL:
        _search_on_cpu(*(tensor.detach().numpy() for tensor in (best, links, room, reached)))
    else:
        b, sources = best.unbind(), best.unsqueeze(2).unbind()
        for t in range(1, len(b)):
            torch.add(sources[t - 1], links, out=room)
            torch.amax(room, 0, out=reached)
            b[t].add_(reached)
    return best.permute(0, 2, 3, 1)


def _search_on_cpu(best: np.ndarray, links: np.ndarray, room: np.ndarray, reached: np.ndarray) -> None:
    """The steps of :func:`_search`, in place."""
    for t in range(1, len(best)):
        np.add(best[t - 1][:, None], links, out=room)
        np.maximum.reduce(room, 0, out=reached)
        best[t] += reached


def _on_cpu(tensor: Tensor) -> bool:
    """Whether NumPy may work on it."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def _walk(history: Tensor, middle: Tensor, transitions: Tensor) -> Tensor:
    """From the middle to both ends along the best predecessors, (steps + 1, 2, batch).

    Args:
        history: (steps, 2, batch, K), the scores of either search, last first.
        middle: (batch,), the tag where the searches meet.
        transitions: (K, K).
    """
    if _on_cpu(history):
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
