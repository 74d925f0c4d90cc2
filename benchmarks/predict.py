"""Prediction: its speed beside its bare encoder and beside the pipeline of transformers, and its memory.

    python -m benchmarks.predict [DATA] [--split test] [--encoder all-MiniLM-L6-v2] [--lines 1000000] [--rounds 5]

All three read the same posts with the same encoder and threads, in turns. The bare encoder gets token ids, made
beforehand, in the batches that prediction makes, and runs its forward pass alone. CoTPD and the pipeline
(batches of 32) start from text and end with mentions. The heads are untrained and predict more mentions than
trained ones, which costs CoTPD a little. The memory part streams the posts through `Student.predict`, again and
again up to the number of lines, in a process of its own.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, logging, pipeline

from benchmarks.common import ROOT, Ratio, format_result, time_in_turns
from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.student.batches import collate, measure_sizes, order_for_reading
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.persistence import build_model, resolve_encoder
from cotpd.student.student import Student

BARE, PIPELINE, GROWTH_MB = 0.85, 1.0, 100.0
_SHORT_STREAM = 10_000  # lines


def build_student(encoder: str) -> Student:
    """Return an untrained student without prompts, to compare with a plain token classifier."""
    torch.manual_seed(0)
    params = StudentParams(encoder=encoder, prompt_length=0)
    model, tokenizer, reads = build_model(params, LabelSet.build("ner", ["PER", "LOC", "ORG", "MISC"]))
    return Student(model, tokenizer, params, ("text",), reads)


def _build_pipeline(encoder: str) -> Callable[[list[str]], object]:
    """Return the peer: the token classification pipeline of transformers, with an untrained head."""
    source = resolve_encoder(encoder)
    return pipeline(
        "token-classification",
        model=AutoModelForTokenClassification.from_pretrained(source, num_labels=9).eval(),
        tokenizer=AutoTokenizer.from_pretrained(source),
        aggregation_strategy="first",
        batch_size=32,
        device="cpu",
    )


def measure_throughputs(data: str, split: str, encoder: str, rounds: int) -> dict[str, Ratio]:
    """Return the ratios of CoTPD's throughput to the bare encoder's and to the pipeline's."""
    posts = load_dataset(DataParams(path=data), require_train=False).posts[split]
    texts, student = [post.text for post in posts], build_student(encoder)
    example_encoder = student.example_encoder
    encoded = example_encoder.encode(build_examples(posts, "ner", {}, {}))
    order = order_for_reading(measure_sizes(encoded, example_encoder), 32)
    batches = []
    for indices in order:
        examples = [encoded[index] for index in indices]
        batches.append(collate(examples, "text", example_encoder))
    peer = _build_pipeline(encoder)

    def run_bare_encoder() -> None:
        with torch.inference_mode():
            for batch in batches:
                student.model.encoder(input_ids=batch.ids, attention_mask=batch.attention.long())

    beside_bare = time_in_turns(lambda: list(student.predict(texts)), run_bare_encoder, rounds)
    beside_peer = time_in_turns(lambda: list(student.predict(texts)), lambda: peer(texts), rounds)
    for name, pair in (("bare encoder", beside_bare), ("pipeline", beside_peer)):
        rate, peer_rate = (len(texts) / (ms / 1000) for ms in (pair.cotpd, pair.peer))
        print(f"{name}: {peer_rate:,.0f} posts/s, ours {rate:,.0f} posts/s, ratio {pair.ratio:.2f}")
    return {
        "throughput_over_bare_encoder": Ratio(beside_bare.ratio, BARE, "high"),
        "throughput_over_pipeline": Ratio(beside_peer.ratio, PIPELINE, "high"),
    }


def _stream(folder: str, data: str, lines: int) -> None:
    """Label a number of lines, cycling through the posts, and print this process's peak memory in MB."""
    posts = load_dataset(DataParams(path=data), require_train=False).posts
    texts = [post.text for post in itertools.chain.from_iterable(posts.values())]
    numbered = (f"{text} #{number}" for number, text in enumerate(itertools.islice(itertools.cycle(texts), lines)))
    for _ in Student.from_pretrained(folder, "cpu").predict(numbered):
        pass
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def measure_growth(data: str, encoder: str, lines: int) -> float:
    """Return by how many MB the peak memory grows from a short stream to all lines."""
    with tempfile.TemporaryDirectory() as folder:
        build_student(encoder).save(folder + "/student")
        peaks = []
        for count in (min(_SHORT_STREAM, lines), lines):
            command = [sys.executable, "-m", "benchmarks.predict", data, "--stream", folder + "/student"]
            process = subprocess.run(
                [*command, "--lines", str(count)], cwd=ROOT, capture_output=True, text=True, check=True
            )
            peaks.append(float(process.stdout.splitlines()[-1]))
            print(f"memory: {count:,} lines, peak {peaks[-1]:,.0f} MB")
    return peaks[1] - peaks[0]


def main(arguments: list[str] | None = None) -> None:
    """Measure throughput and memory; print each figure, then the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="sample", help="a data set")
    parser.add_argument("--split", default="test")
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the memory part; 0 leaves it out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stream", help=argparse.SUPPRESS)  # a process of this benchmark's own
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    logging.set_verbosity_error()
    data = str(Path(options.data).resolve())
    if options.stream:
        _stream(options.stream, data, options.lines)
        return
    ratios = measure_throughputs(data, options.split, options.encoder, options.rounds)
    if options.lines:
        growth = max(1.0, measure_growth(data, options.encoder, options.lines))
        ratios["memory_growth_mb"] = Ratio(growth, GROWTH_MB, "low")
    print(format_result("predict", ratios))


if __name__ == "__main__":
    main()
