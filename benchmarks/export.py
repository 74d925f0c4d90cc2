"""An exported student beside torch: posts a second in bulk, and a single post, in one run and in turns.

    cotpd export --model models/student
    python -m benchmarks.export --model models/student --posts posts.txt

Both sides read the same posts from text to mentions, on all cores.
"""

import argparse
from functools import partial
from pathlib import Path

from benchmarks.common import Ratio, format_result, time_in_turns
from cotpd.cli.posts import read_posts
from cotpd.inference.export_record import read_export
from cotpd.inference.loading import load_predictor
from cotpd.inference.machine import describe_machine
from cotpd.student.predictor import Predictor

ROUNDS = 5
BULK_TARGETS = {"onnx": 1.5, "onnx-int8": 3.0}
SINGLE_TARGET = 2.0
SINGLES = 12


def main() -> None:
    """Print each backend's times beside torch's, and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/student"), help="a student of named entities")
    parser.add_argument("--posts", required=True, help="a file of posts, as cotpd predict --file reads it")
    parser.add_argument("--count", type=int, default=256, help="posts that are read")
    options = parser.parse_args()
    texts = [post.row["text"] for post in read_posts((), options.posts)][: options.count]
    export = read_export(options.model)
    if export is None:
        parser.error(f"{options.model} has no export: cotpd export --model {options.model}")

    torch_student = load_predictor(options.model, "torch", "cpu")
    ratios: dict[str, Ratio] = {}
    for name, verdict in export.record.verdicts.items():
        if verdict.passed:
            ratios |= compare(name, load_predictor(options.model, name), torch_student, texts)
        else:
            print(f"{name} was refused: {verdict.reason}")
    print(f"instructions: {describe_machine().instructions}")
    print(format_result("export", ratios))


def compare(name: str, exported: Predictor, torch_student: Predictor, texts: list[str]) -> dict[str, Ratio]:
    """Time a backend and torch in turns, in bulk and post by post."""
    bulk = time_in_turns(partial(read_all, exported, texts), partial(read_all, torch_student, texts), ROUNDS)
    single = time_in_turns(partial(read_each, exported, texts), partial(read_each, torch_student, texts), ROUNDS)
    print(f"{name}: {bulk.ratio:.2f} times torch in bulk, {single.ratio:.2f} times for a single post")
    return {
        f"{name} in bulk": Ratio(bulk.ratio, BULK_TARGETS[name], "high"),
        f"{name} single": Ratio(single.ratio, SINGLE_TARGET, "high"),
    }


def read_all(student: Predictor, texts: list[str]) -> None:
    """Predict all posts at once."""
    list(student.predict(texts))


def read_each(student: Predictor, texts: list[str]) -> None:
    """Predict some posts one by one."""
    for text in texts[:SINGLES]:
        list(student.predict([text]))


if __name__ == "__main__":
    main()
