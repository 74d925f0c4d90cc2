"""The cost of a joint distillation step, over the bare encoder on the same two token batches.

    python -m benchmarks.step [--encoder all-MiniLM-L6-v2] [--batch 16] [--threads 2] [--rounds 20]

CoTPD makes batches of both views, embeds, encodes and scores them, and differentiates the loss: two CRF
likelihoods and their exact KL. The peer is the bare encoder. It reads the ids of the same two batches, prompt
positions included, and the sum of its states is differentiated. Clipping and the optimiser's step cost the same
on both sides and are timed in neither. Posts are the sample's. Other posts, about as long, stand for knowledge.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from transformers import logging

from benchmarks.common import Ratio, format_result, time_in_turns
from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import KNOWLEDGE_KINDS, Post
from cotpd.student.examples import Example, build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import JointDistillation, make_batch
from cotpd.student.params import DistilParams, StudentParams
from cotpd.student.persistence import build_model
from cotpd.student.student import Student
from cotpd.student.views import Encoded

TARGET = 1.10


def read_examples() -> tuple[list[Example], tuple[str, ...]]:
    """Return the sample's training posts, each answer the text of two posts, and the entity types."""
    dataset = load_dataset(DataParams(path="sample"))
    posts = dataset.posts["train"]
    texts = itertools.cycle(post.text for post in posts)
    knowledge = {}
    for post in posts:
        knowledge[post.id] = {kind: f"{next(texts)}. {next(texts)}" for kind in KNOWLEDGE_KINDS}
    captions = {post.id: "a picture of " + _take_words(post, 4) for post in posts}
    return build_examples(posts, "ner", captions, knowledge), dataset.types


def _take_words(post: Post, count: int) -> str:
    return " ".join(post.tokens[:count])


def build_sides(encoder: str, batch_size: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return CoTPD's step and the bare encoder's; both go through the same batches in the same order."""
    examples, types = read_examples()
    torch.manual_seed(0)
    params = StudentParams(encoder=encoder)
    objective = JointDistillation(DistilParams())
    model, tokenizer, reads = build_model(params, LabelSet.build("ner", types))
    learner = Student(model, tokenizer, params, objective.views, reads)
    model.train()
    encoded = sorted(learner.example_encoder.encode(examples), key=lambda example: example.size)
    starts = range(0, len(encoded) - batch_size + 1, batch_size)
    batches = [encoded[start : start + batch_size] for start in starts]
    examples_of_step, inputs_of_step = itertools.cycle(batches), _iterate_bare_inputs(learner, batches)

    def run_step() -> None:
        objective.compute_losses(learner, next(examples_of_step))["loss"].backward()
        model.zero_grad(set_to_none=True)

    def run_bare_encoder() -> None:
        total = torch.zeros((), device=learner.device)
        for ids, mask in next(inputs_of_step):
            total = total + model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.sum()
        total.backward()
        model.zero_grad(set_to_none=True)

    return run_step, run_bare_encoder


def _iterate_bare_inputs(
    learner: Student, batches: Sequence[Sequence[Encoded]]
) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Yield ids and attention of both views of each batch, endlessly; mask tokens stand for prompt vectors."""
    inputs = []
    for examples in batches:
        knowledge, prompt = make_batch(learner, examples, "knowledge"), make_batch(learner, examples, "prompt")
        size = (len(prompt.ids), learner.params.prompt_length)
        prompt_ids = prompt.ids.new_full(size, learner.tokenizer.mask_token_id)
        attention = torch.cat([torch.ones_like(prompt_ids).bool(), prompt.attention], 1)
        views = [
            (knowledge.ids, knowledge.attention.long()),
            (torch.cat([prompt_ids, prompt.ids], 1), attention.long()),
        ]
        inputs.append(views)
    return itertools.cycle(inputs)


def main(arguments: list[str] | None = None) -> None:
    """Print the row, then the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2", help="a catalogued name or a folder")
    parser.add_argument("--batch", type=int, default=16, help="posts a step")
    parser.add_argument("--threads", type=int, default=2, help="torch's threads")
    parser.add_argument("--rounds", type=int, default=20, help="timed steps of each")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    logging.disable_progress_bar()
    pair = time_in_turns(*build_sides(options.encoder, options.batch), options.rounds)
    cost = 1 / pair.ratio
    print("| encoder | step, ms | bare encoder, ms | costs |\n|---|---|---|---|")
    print(f"| {options.encoder} | {pair.cotpd:.1f} | {pair.peer:.1f} | {cost:.3f}x |")
    print(format_result("step", {f"step over bare {options.encoder}": Ratio(cost, TARGET, "low")}))


if __name__ == "__main__":
    main()
