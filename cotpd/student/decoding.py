"""Viterbi and n-best decoding of linear chains, for whole batches.

Trade-off: the best path is searched from both ends at once and joined in the middle, which halves the number of
sequential steps at the price of some index arithmetic; with few tags the steps, not the sums, are the cost.
"""

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
    batch, steps, tags = emissions.shape
    device = emissions.device
    left = (lengths + 1) // 2  # positions that the forward search covers; the backward search has the rest
    right = lengths - left
    half = (steps + 1) // 2
    rows = torch.arange(batch, device=device)
    ticks = torch.arange(half + 1, device=device).unsqueeze(1)
    index = torch.stack([ticks.expand(-1, batch), lengths - 1 - ticks], 1).clamp(0, steps - 1)
    emit = emissions[rows, index]  # (half + 1, 2, batch, K)
    links = torch.stack([transitions.T, transitions])  # (2, K, K): to, from
    before, after = torch.empty_like(emit), torch.empty_like(emit)
    before[0] = torch.stack([start, end]).unsqueeze(1)
    torch.add(before[0], emit[0], out=after[0])
    b, a, e = before.unbind(), after.unbind(), emit.unbind()
    wide = links.unsqueeze(1)  # (2, 1, K, K)
    room = torch.empty(2, batch, tags, tags, dtype=emit.dtype, device=device)
    for t in range(1, half + 1):
        torch.add(a[t - 1].unsqueeze(-2), wide, out=room)
        torch.amax(room, -1, out=b[t])
        torch.add(b[t], e[t], out=a[t])
    score, middle = (after[left - 1, 0, rows] + before[right, 1, rows]).max(-1)
    # the way back: k steps from the middle, forwards the message left - 1 - k, backwards right - k
    reach = torch.stack([left - 1 - ticks[1:], right - ticks[1:]], 1).clamp(min=0)  # (half, 2, batch)
    side = torch.arange(2, device=device).view(2, 1)
    history = after[reach, side, rows].unbind()
    shift = (side * tags).expand(2, batch).contiguous()
    flat = links.reshape(2 * tags, tags)
    path = torch.empty(half + 1, 2, batch, dtype=torch.long, device=device)
    path[0] = middle
    p = path.unbind()
    for k in range(half):
        torch.argmax(flat[p[k] + shift] + history[k], -1, out=p[k + 1])
    at = torch.arange(steps, device=device).unsqueeze(1)  # (T, 1)
    forwards = at < left
    walked = torch.where(forwards, left - 1 - at, at - left + 1).clamp(0, half)
    found = path[walked, (~forwards).long(), rows]
    return torch.where(at < lengths, found, 0).T.contiguous(), score


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
