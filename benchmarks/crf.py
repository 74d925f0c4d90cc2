"""The CRF beside pytorch-crf 0.7.2: forward and backward of the loss, and Viterbi, in milliseconds.

    python benchmarks/crf.py [--threads 2] [--rounds 30]

Both sides get the same scores and full-length chains (the last of a batch one shorter, so that masks are real).
They take turns, so that a busy moment of the machine hits both; reported are medians and the ratio of the medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torchcrf import CRF

from cotpd.student.crf import LinearChainCRF

SHAPES = ((32, 64, 9), (64, 128, 25))  # batch, positions, tags


def contenders(batch: int, steps: int, tags: int) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """What is timed: by name, our call and the peer's."""
    torch.manual_seed(0)
    emissions = torch.randn(batch, steps, tags, requires_grad=True)
    gold = torch.randint(0, tags, (batch, steps))
    mask = torch.ones(batch, steps, dtype=torch.bool)
    mask[-1, -1] = False
    ours, peer = LinearChainCRF(tags), CRF(tags, batch_first=True)
    ours.transitions.data = peer.transitions.data.clone()
    ours.start.data, ours.end.data = peer.start_transitions.data.clone(), peer.end_transitions.data.clone()

    def lists() -> list[list[int]]:
        found, _ = ours.viterbi(emissions, mask)
        return [row[:n] for row, n in zip(found.tolist(), mask.sum(1).tolist(), strict=True)]

    if lists() != peer.decode(emissions, mask):
        raise SystemExit("the two decode different paths")
    return {
        "forward + backward": (
            lambda: ours.nll(emissions, gold, mask).sum().backward(),
            lambda: (-peer(emissions, gold, mask)).backward(),
        ),
        "viterbi": (lists, lambda: peer.decode(emissions, mask)),
    }


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Print one row a shape and operation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="torch's threads")
    parser.add_argument("--rounds", type=int, default=30, help="timed calls of each")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| batch, positions, tags | operation | here, ms | pytorch-crf, ms | faster |\n|---|---|---|---|---|")
    for shape in SHAPES:
        for name, pair in contenders(*shape).items():
            times = [[seconds(call) for call in pair] for _ in range(options.rounds + 3)][3:]
            ours, peer = (1000 * statistics.median(column) for column in zip(*times, strict=True))
            print(f"| {shape} | {name} | {ours:.2f} | {peer:.2f} | {peer / ours:.1f}x |")


if __name__ == "__main__":
    main()
