"""What a run of so many posts takes: requests, tokens, dollars, hours, storage, GPUs.

    python -m benchmarks.sizing                    # the table of docs/scale.md
    python -m benchmarks.sizing --measure 10000    # the simulation beside a measured run of the asking

Trade-off: asking is simulated request by request, as its time depends on how answers of unequal length fill the
slots. All else is a rate times a count. Each rate is a field of ``Assumptions``: those of the asking are checked
against a measured run, those of GPUs are assumed.
"""

import argparse
import heapq
import math
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.ask import run_server
from cotpd.data.records import KNOWLEDGE_KINDS, Kind
from cotpd.llm.ask import ask
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.params import LlmParams
from cotpd.llm.prompts import PromptSet
from cotpd.llm.question import Question

SIZES = ((10_000, 10_000), (1_000_000, 1_000_000), (100_000_000, 1_000_000), (100_000_000, 100_000_000))
"""Posts to read, and posts among them that the language model is asked about and a student is trained on."""
_SIMULATED = 200_000  # requests that are simulated one by one; more of them take proportionally longer
_GB = 1e9
_CAPTION = "people in a stadium wave flags below a floodlight"


@dataclass(frozen=True)
class Assumptions:
    """Every input of the simulation."""

    kinds: float = 3.0
    """Questions for knowledge about a post (ask.kinds), each post having a picture."""
    augment: float = 1.2
    """Further questions a post: three kinds, half of the training posts (augment.share), which are 80 % of all."""
    prompt_tokens: float = 300.0
    """Tokens of a question."""
    answer_tokens: float = 60.0
    """Tokens of an answer."""
    latency: float = 2.0
    """Mean seconds of an answer."""
    spread: float = 0.5
    """Deviation of the logarithm of these seconds."""
    in_flight: int = 64
    """Requests at once (llm.concurrency)."""
    input_price: float = 0.15
    """Dollars a million tokens sent (gpt-4o-mini)."""
    output_price: float = 0.60
    """Dollars a million tokens of answers."""
    ledger_bytes: float = 3650.0
    """Bytes of the ledger an answer; measured."""
    table_bytes: float = 4000.0
    """Bytes of all tables a post, answers included, DVC's cache counted twice; assumed."""
    picture_bytes: float = 100_000.0
    """Bytes of a picture; assumed."""
    gpu_tokens: float = 20_000.0
    """Tokens a second, sent and answered, of a 7B model in vLLM on one 80 GB GPU; assumed."""
    gpu_captions: float = 50.0
    """Pictures a second of a captioner on one GPU; assumed."""
    gpu_train: float = 400.0
    """Posts a second in training BERT-base with both views on one GPU; assumed."""
    epochs: int = 14
    """Passes over the training posts, those of the baseline included (8 and 6)."""
    gpu_score: float = 3000.0
    """Posts a second that a student of BERT-base's size reads on one GPU; assumed."""
    hours: float = 24.0
    """Hours in which the language model of one's own is to answer all questions."""


@dataclass(frozen=True)
class Size:
    """What a run takes."""

    requests: int
    tokens: float
    dollars: float
    ask_hours: float
    ledger_gb: float
    files_gb: float
    llm_gpus: int
    gpu_hours: float


def estimate_size(posts: int, taught: int, inputs: Assumptions) -> Size:
    """Return what a run takes that asks about and trains on some of the posts, and labels the others."""
    requests = round(taught * (inputs.kinds + inputs.augment))
    tokens = requests * (inputs.prompt_tokens + inputs.answer_tokens)
    prices = inputs.prompt_tokens * inputs.input_price + inputs.answer_tokens * inputs.output_price
    training = taught * 0.8 * inputs.epochs / inputs.gpu_train
    captions, scoring = taught / inputs.gpu_captions, posts / inputs.gpu_score
    return Size(
        requests=requests,
        tokens=tokens,
        dollars=requests * prices / 1e6,
        ask_hours=estimate_asking(requests, inputs) / 3600,
        ledger_gb=requests * inputs.ledger_bytes / _GB,
        files_gb=(taught * (inputs.table_bytes + inputs.picture_bytes) + (posts - taught) * inputs.table_bytes)
        / _GB,
        llm_gpus=math.ceil(tokens / inputs.gpu_tokens / 3600 / inputs.hours),
        gpu_hours=(training + captions + scoring) / 3600,
    )


def estimate_asking(requests: int, inputs: Assumptions) -> float:
    """Return the seconds until the last of the answers: each request takes the slot that is free first."""
    count = min(requests, _SIMULATED)
    draws = random.Random(7)
    slots = [0.0] * inputs.in_flight
    last = 0.0
    for _ in range(count):
        seconds = inputs.latency * math.exp(draws.gauss(0.0, inputs.spread) - inputs.spread**2 / 2)
        last = max(last, heapq.heappushpop(slots, slots[0] + seconds) + seconds)
    return last * requests / count if count else 0.0


@dataclass(frozen=True)
class Measured:
    """What the asking of a run took."""

    requests: int
    tokens: int
    ledger_bytes: int
    seconds: float


def measure(posts: int, inputs: Assumptions) -> Measured:
    """Ask for the knowledge of made-up posts, of a server that answers as slowly as is assumed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_server(inputs.latency, inputs.in_flight, inputs.spread) as url,
    ):
        path = Path(folder) / "ledger.db"
        params = LlmParams(
            base_url=url, model="still", concurrency=inputs.in_flight, ledger=str(path), recorded=None
        )
        start = time.perf_counter()
        outcome = ask(build_questions(posts), params, progress=False)
        seconds = time.perf_counter() - start
        with Ledger(path) as ledger:
            rows = ledger.count_by_model()
        return Measured(
            requests=outcome.from_server,
            tokens=sum(sent + answered for _, _, sent, answered in rows),
            ledger_bytes=sum(file.stat().st_size for file in Path(folder).iterdir()),
            seconds=seconds,
        )


def build_questions(posts: int) -> Iterator[Question]:
    """Yield the questions for knowledge about made-up posts, no two alike."""
    prompts = PromptSet.load("default")
    for number in range(posts):
        text = f"Number {number} saw the final at Wembley with friends from Leeds !!"
        for kind in KNOWLEDGE_KINDS:
            caption = {"caption": _CAPTION} if kind is Kind.MULTIMODALITY else {}
            prompt = prompts.render(kind, text=text, **caption)
            yield Question(str(number), kind, prompt.messages, prompt.schema, 64)


def compare(posts: int, inputs: Assumptions) -> tuple[Measured, Measured]:
    """Return what the simulation expects of the asking for knowledge, and what is measured."""
    knowledge = replace(inputs, augment=0.0)
    size = estimate_size(posts, posts, knowledge)
    expected = Measured(
        requests=size.requests,
        tokens=round(size.tokens),
        ledger_bytes=round(size.ledger_gb * _GB),
        seconds=size.ask_hours * 3600,
    )
    return expected, measure(posts, knowledge)


def format_table(inputs: Assumptions) -> str:
    """Return the table of all sizes in Markdown."""
    head = "| posts | asked about | requests | tokens | cost | hours | ledger | files | LLM GPUs | GPU hours |"
    rows = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for posts, taught in SIZES:
        size = estimate_size(posts, taught, inputs)
        counts = f"{posts:,} | {taught:,} | {size.requests:,} | {size.tokens / 1e6:,.0f} M"
        spent = (
            f"${size.dollars:,.0f} | {size.ask_hours:,.1f} | {size.ledger_gb:,.1f} GB | {size.files_gb:,.0f} GB"
        )
        rows.append(f"| {counts} | {spent} | {size.llm_gpus} | {size.gpu_hours:,.1f} |")
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> None:
    """Print the table, or the comparison with a measured run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=int, metavar="POSTS", help="ask for the knowledge of so many posts")
    parser.add_argument("--latency", type=float, default=0.5, help="mean seconds of an answer, when measuring")
    options = parser.parse_args(arguments)
    if options.measure is None:
        print(format_table(Assumptions()))
        return
    expected, measured = compare(options.measure, Assumptions(latency=options.latency))
    for name, value in vars(expected).items():
        actual = getattr(measured, name)
        print(f"{name:>12}: {value:>14,.0f} simulated, {actual:>14,.0f} measured, {actual / value:.3f} of it")


if __name__ == "__main__":
    main()
