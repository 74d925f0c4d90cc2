"""Speed beside peers, as ratios: `python -m benchmarks.crf`, `python -m benchmarks.step`."""
