"""The CRF beside pytorch-crf 0.7.2: forward and backward of the loss, and Viterbi.

    python -m benchmarks.crf [--threads 2] [--rounds 30] [--device cpu]

Both sides get the same scores and the same chains, of lengths from half of the positions to all of them.
"""

import argparse
from collections.abc import Callable

import torch
from torchcrf import CRF

from benchmarks.common import Ratio, format_result, time_in_turns
from cotpd.student.crf import LinearChainCRF

SHAPES = ((32, 64, 9), (64, 128, 25))  # batch, positions, tags
TARGETS = {"forward+backward": 3.0, "viterbi": 5.0}
Sides = tuple[Callable[[], object], Callable[[], object]]


def build_contenders(batch: int, steps: int, tags: int, device: str) -> dict[str, Sides]:
    """Return the calls to time: by operation, CoTPD's and the peer's.

    Raises:
        SystemExit: The two decode different paths, so their times cannot be compared.
    """
    torch.manual_seed(0)
    emissions = torch.randn(batch, steps, tags, device=device, requires_grad=True)
    gold = torch.randint(0, tags, (batch, steps), device=device)
    lengths = torch.randint(steps // 2, steps + 1, (batch,), device=device)
    lengths[0] = steps
    mask = torch.arange(steps, device=device) < lengths.unsqueeze(1)
    crf, peer = LinearChainCRF(tags).to(device), CRF(tags, batch_first=True).to(device)
    with torch.no_grad():
        crf.transitions.copy_(peer.transitions)
        crf.start.copy_(peer.start_transitions)
        crf.end.copy_(peer.end_transitions)

    def decode() -> list[list[int]]:
        paths, _ = crf.decode_viterbi(emissions, mask)
        return [path[:length] for path, length in zip(paths.tolist(), lengths.tolist(), strict=True)]

    if decode() != peer.decode(emissions, mask):
        raise SystemExit("the two decode different paths")
    return {
        "forward+backward": (
            lambda: crf.compute_nll(emissions, gold, mask).sum().backward(),
            lambda: (-peer(emissions, gold, mask)).backward(),
        ),
        "viterbi": (decode, lambda: peer.decode(emissions, mask)),
    }


def main(arguments: list[str] | None = None) -> None:
    """Print one row a shape and operation, then the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="torch's threads")
    parser.add_argument("--rounds", type=int, default=30, help="timed calls of each")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda where there is one")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print("| batch, positions, tags | operation | here, ms | pytorch-crf, ms | faster |\n|---|---|---|---|---|")
    ratios = {}
    for shape in SHAPES:
        for name, sides in build_contenders(*shape, options.device).items():
            pair = time_in_turns(*sides, options.rounds)
            ratios[f"{name} {shape}"] = Ratio(pair.ratio, TARGETS[name], "high")
            print(f"| {shape} | {name} | {pair.cotpd:.2f} | {pair.peer:.2f} | {pair.ratio:.1f}x |")
    print(format_result("crf", ratios))


if __name__ == "__main__":
    main()
