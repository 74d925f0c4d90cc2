"""Prediction: how near to its bare encoder, how it stands beside the pipeline of transformers, and its memory.

    python -m benchmarks.predict [DATA] [--split test] [--encoder all-MiniLM-L6-v2] [--lines 1000000] [--rounds 5]

All three read the same posts with the same encoder and threads, in turns. The bare encoder's forward pass is given
token ids, made beforehand, in the batches that prediction makes; ours and the pipeline (batches of 32) start from
text and end with mentions. The heads are untrained and find more mentions than trained ones, which costs ours a
little. The memory part streams the posts over and over through `Student.predict`, to the number of lines, in a
process of its own.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, logging, pipeline

from benchmarks.common import ROOT, Ratio, in_turns, last_line
from cotpd.config import DataParams, StudentParams
from cotpd.data.load import load_dataset
from cotpd.student.batches import collate, reading_order, sizes
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.persistence import build, source_of
from cotpd.student.student import Student

BARE, PIPELINE, GROWTH_MB = 0.85, 1.0, 100.0
_FEW = 10_000  # lines


def student(encoder: str) -> Student:
    """An untrained student without prompts, the model that stands beside a plain token classifier."""
    torch.manual_seed(0)
    params = StudentParams(encoder=encoder, prompt_length=0)
    model, tokenizer, reads = build(params, LabelSet.of("ner", ["PER", "LOC", "ORG", "MISC"]))
    return Student(model, tokenizer, params, ("text",), reads)


def throughputs(data: str, split: str, encoder: str, rounds: int) -> dict[str, Ratio]:
    """Ours beside the bare encoder and beside the pipeline."""
    posts = load_dataset(DataParams(path=data), require_train=False).posts[split]
    texts, ours = [post.text for post in posts], student(encoder)
    encoded = ours.tokens.encode(build_examples(posts, "ner", {}, {}))
    order = list(reading_order(sizes(encoded, ours.tokens), 32))
    batches = [collate([encoded[i] for i in chosen], "text", ours.tokens) for chosen in order]
    source = source_of(encoder)
    peer = pipeline(
        "token-classification",
        model=AutoModelForTokenClassification.from_pretrained(source, num_labels=9).eval(),
        tokenizer=AutoTokenizer.from_pretrained(source),
        aggregation_strategy="first",
        batch_size=32,
        device="cpu",
    )

    def bare() -> None:
        with torch.inference_mode():
            for batch in batches:
                ours.model.encoder(input_ids=batch.ids, attention_mask=batch.attention.long())

    beside_bare = in_turns(lambda: list(ours.predict(texts)), bare, rounds)
    beside_peer = in_turns(lambda: list(ours.predict(texts)), lambda: peer(texts), rounds)
    for name, pair in (("bare encoder", beside_bare), ("pipeline", beside_peer)):
        rate, other = (len(texts) / (ms / 1000) for ms in (pair.ours, pair.peer))
        print(f"{name}: {other:,.0f} posts/s, ours {rate:,.0f} posts/s, ratio {pair.ratio:.2f}")
    return {
        "throughput_over_bare_encoder": Ratio(beside_bare.ratio, BARE, "high"),
        "throughput_over_pipeline": Ratio(beside_peer.ratio, PIPELINE, "high"),
    }


def _stream(folder: str, data: str, lines: int) -> None:
    """Label lines without end but for their number, in this process; prints its peak in MB."""
    posts = load_dataset(DataParams(path=data), require_train=False).posts
    texts = [post.text for rows in posts.values() for post in rows]
    many = (f"{text} #{number}" for number, text in enumerate(itertools.islice(itertools.cycle(texts), lines)))
    for _ in Student.from_pretrained(folder, "cpu").predict(many):
        pass
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def growth(data: str, encoder: str, lines: int) -> float:
    """MB by which the peak over many lines is above that over few."""
    with tempfile.TemporaryDirectory() as folder:
        student(encoder).save(folder + "/student")
        peaks = []
        for count in (min(_FEW, lines), lines):
            command = [sys.executable, "-m", "benchmarks.predict", data, "--stream", folder + "/student"]
            done = subprocess.run(
                [*command, "--lines", str(count)], cwd=ROOT, capture_output=True, text=True, check=True
            )
            peaks.append(float(done.stdout.splitlines()[-1]))
            print(f"memory: {count:,} lines, peak {peaks[-1]:,.0f} MB")
    return peaks[1] - peaks[0]


def main(arguments: list[str] | None = None) -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="sample", help="a data set")
    parser.add_argument("--split", default="test")
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the memory part; 0 leaves it out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stream", help=argparse.SUPPRESS)  # a process of this benchmark's own
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    logging.set_verbosity_error()
    data = str(Path(given.data).resolve())
    if given.stream:
        _stream(given.stream, data, given.lines)
        return
    ratios = throughputs(data, given.split, given.encoder, given.rounds)
    if given.lines:
        ratios["memory_growth_mb"] = Ratio(max(1.0, growth(data, given.encoder, given.lines)), GROWTH_MB, "low")
    print(last_line("predict", ratios))


if __name__ == "__main__":
    main()
