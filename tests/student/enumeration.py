"""The CRF by its definition: every tag sequence of a chain, one by one."""

import itertools

import torch

from cotpd.student.crf import LinearChainCRF


def make_random_field(tags: int, seed: int, scale: float = 1.0, allowed=None) -> LinearChainCRF:
    torch.manual_seed(seed)
    field = LinearChainCRF(tags, allowed).double()
    for weight in field.parameters():
        torch.nn.init.normal_(weight, std=scale)
    return field


def build_mask(lengths: list[int]) -> torch.Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)


def enumerate_all(field: LinearChainCRF, emissions: torch.Tensor) -> dict[tuple[int, ...], torch.Tensor]:
    """Score of every tag sequence of one chain (T, K), by the definition."""
    start, transitions, end = field.compute_weights()
    scores = {}
    for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions)):
        score = start[path[0]] + end[path[-1]] + sum(emissions[t, k] for t, k in enumerate(path))
        scores[path] = score + sum(transitions[i, j] for i, j in itertools.pairwise(path))
    return scores


def draw(case, allowed=None):
    """Return field, emissions, lengths and mask of a case: tags, lengths, seed, scale."""
    tags, lengths, seed, scale = case
    field = make_random_field(tags, seed, min(scale, 10.0), allowed)
    emissions = torch.randn(len(lengths), max(lengths), tags, dtype=torch.float64) * scale
    return field, emissions, lengths, build_mask(lengths)
