"""Viterbi and n-best decoding of linear chains of tensors, for whole batches.

Trade-off: on a CPU NumPy searches the best path, since its calls cost a third of torch's; see
:mod:`cotpd.student.viterbi`.
"""

import numpy as np
import torch
from torch import Tensor

from cotpd.student.viterbi import search_both_ends


def decode_viterbi(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the best tag sequence of each chain (Viterbi 1967), searched from both ends.

    Args:
        emissions: (batch, T, K); values beyond a length are ignored.
        start, end: (K,).
        transitions: (K, K), from row to column.
        lengths: (batch,), each between 1 and T.

    Returns:
        Tags (batch, T), zero beyond a length, and their scores (batch,).
    """
    chains = (emissions, start, transitions, end, lengths)
    if torch.compiler.is_compiling():  # Inductor takes minutes to compile writes into parts of tables
        paths, ranked = decode_n_best(*chains, 1)
        return paths[:, 0], ranked[:, 0]
    if emissions.device.type == "cpu":
        arrays = search_both_ends(np, *(tensor.detach().numpy() for tensor in chains), threaded=torch)
        tags, scores = map(torch.from_numpy, arrays)
    else:
        tags, scores = search_both_ends(torch, *chains)
    return tags.T.contiguous(), scores


def decode_n_best(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor, n: int
) -> tuple[Tensor, Tensor]:
    """Return the n best tag sequences of each chain, best first.

    Args:
        emissions, start, transitions, end, lengths: As for :func:`decode_viterbi`.
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
        is_inside = (t < lengths).view(-1, 1, 1)
        state = torch.where(is_inside, best + emissions[:, t].unsqueeze(-1), state)
        unchanged = torch.arange(tags * n, device=state.device).view(1, tags, n)
        pointers.append(torch.where(is_inside, pointer, unchanged).flatten(1))

    scores, last = (state + end.unsqueeze(-1)).flatten(1).topk(n, -1)  # (batch, n)
    path = [last]
    for pointer in reversed(pointers):
        path.append(pointer.gather(1, path[-1]))
    paths = torch.stack(path[::-1], -1).div(n, rounding_mode="floor")  # (batch, n, T)
    inside = torch.arange(steps, device=state.device) < lengths.view(-1, 1, 1)
    return torch.where(inside, paths, 0), scores
