"""What distillation costs beside its encoder: a joint step over the bare encoder on the same two token batches.

    python -m benchmarks.step [--encoder all-MiniLM-L6-v2] [--batch 16] [--threads 2] [--rounds 20]

Our side: batches of both views are made, embedded, encoded, scored, and the loss (two CRF likelihoods and their
exact KL) is taken back through everything. The other side: the bare encoder reads the ids of the same two batches,
prompt places included, and the sum of its states is taken back. Clipping and the optimiser's step cost the same
on both and are in neither. Posts are the sample's; other posts stand for knowledge, about as long as it.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator

import torch
from transformers import logging

from benchmarks.common import Ratio, in_turns, last_line
from cotpd.config import DataParams, DistilParams, StudentParams
from cotpd.data.load import load_dataset
from cotpd.data.records import KNOWLEDGE_KINDS, Post
from cotpd.student.examples import Example, build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import JointDistillation, batch_of
from cotpd.student.persistence import build
from cotpd.student.student import Student

TARGET = 1.10


def examples() -> tuple[list[Example], tuple[str, ...]]:
    """The sample's training posts, two others' text for each answer, and the entity types."""
    dataset = load_dataset(DataParams())
    posts = dataset.posts["train"]
    texts = itertools.cycle(post.text for post in posts)
    knowledge = {post.id: {kind: f"{next(texts)}. {next(texts)}" for kind in KNOWLEDGE_KINDS} for post in posts}
    captions = {post.id: "a picture of " + _words(post, 4) for post in posts}
    return build_examples(posts, "ner", captions, knowledge), dataset.types


def _words(post: Post, count: int) -> str:
    return " ".join(post.tokens[:count])


def sides(encoder: str, batch_size: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """One step of each side; both go through the same batches in the same order."""
    rows, types = examples()
    torch.manual_seed(0)
    params = StudentParams(encoder=encoder)
    objective = JointDistillation(DistilParams())
    model, tokenizer, reads = build(params, LabelSet.of("ner", types))
    learner = Student(model, tokenizer, params, objective.views, reads)
    model.train()
    encoded = sorted(learner.tokens.encode(rows), key=lambda one: one.size)
    batches = [encoded[at : at + batch_size] for at in range(0, len(encoded) - batch_size + 1, batch_size)]
    ours, theirs = itertools.cycle(batches), _bare(learner, batches)

    def step() -> None:
        objective.losses(learner, next(ours))["loss"].backward()
        model.zero_grad(set_to_none=True)

    def bare() -> None:
        total = sum(
            model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.sum() for ids, mask in next(theirs)
        )
        total.backward()
        model.zero_grad(set_to_none=True)

    return step, bare


def _bare(learner: Student, batches: list) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Ids and attention of both views of each batch, over and over; a prompt's places hold the mask token."""
    places = learner.params.prompt_length
    made = []
    for chosen in batches:
        knowledge, prompt = (batch_of(learner, chosen, view) for view in ("knowledge", "prompt"))
        more = prompt.ids.new_full((len(prompt.ids), places), learner.tokenizer.mask_token_id)
        seen = torch.cat([torch.ones_like(more).bool(), prompt.attention], 1)
        both = [(knowledge.ids, knowledge.attention.long()), (torch.cat([more, prompt.ids], 1), seen.long())]
        made.append(both)
    return itertools.cycle(made)


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
    pair = in_turns(*sides(options.encoder, options.batch), options.rounds)
    cost = 1 / pair.ratio
    print("| encoder | step, ms | bare encoder, ms | costs |\n|---|---|---|---|")
    print(f"| {options.encoder} | {pair.ours:.1f} | {pair.peer:.1f} | {cost:.3f}x |")
    print(last_line("step", {f"step over bare {options.encoder}": Ratio(cost, TARGET, "low")}))


if __name__ == "__main__":
    main()
