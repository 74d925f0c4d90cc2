"""The posts and answers that a cell learns from, and their cost: the other half of a gain."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from cotpd.config import Params
from cotpd.pipeline.workspace import UNLABELLED
from cotpd.studies.inputs import Sources
from cotpd.studies.study import Cell, Study


class LearntFrom(NamedTuple):
    """The posts of a cell, with labels (augmented ones left out) and without, and the answers about both."""

    labelled: int
    unlabelled: int
    answers: int


def count_inputs(study: Study, cell: Cell, params: Params, sources: Sources) -> LearntFrom:
    """Count what a cell learns from: a baseline reads labelled posts alone, a control no answer.

    Each of several answers to a question counts, since each is paid for; ``params`` are those of the cell.
    """
    if cell.is_llm:
        return LearntFrom(0, 0, 0)
    data_set = study.data_sets[study.get_data_set(cell.train_on)]
    changes = study.list_changes(cell)
    tables = sources.get_tables(data_set, changes)
    unlabelled = tables.posts.get(UNLABELLED, ()) if cell.model in ("student", "control") else ()
    posts = list(chain(tables.posts.get("train", ()), unlabelled))
    answers = 0
    if cell.reads_answers:
        ask = changes.source.adapt(params).ask if changes.source else params.ask
        for post in posts:
            own = post.knowledge if changes.source is None else {}  # came with the data, once
            answers += sum(1 if kind in own else ask.answers for kind in tables.knowledge.get(post.id, ()))
    return LearntFrom(len(posts) - len(unlabelled), len(unlabelled), answers)


def describe_input(study: Study, cell: Cell) -> str:
    """Return what a cell's model is given at test time, in words."""
    changes = study.list_changes(cell)
    own = "knowledge" if cell.model == "teacher" else "text"
    reads = own if cell.reads == "own" else cell.reads
    caption = ["caption"] if changes.caption and reads in ("caption", "knowledge") else []
    answers = ["answers"] if changes.kinds and reads == "knowledge" else []
    return ", ".join(["text", *caption, *answers])


def estimate_answer_price(params: Params, keys: Sequence[str] | None = None) -> float | None:
    """Return the mean dollars that an answer of the configured model costs, by the tokens of the ledger.

    Args:
        params: The parameters.
        keys: Keys of the ledger's answers that count. Where it has none of them, all answers of the model count;
            so they do with None. Empty: the answers came with the data, so that their cost is not known.

    Returns:
        None if no price is known for the model, or the ledger has no answer of it whose tokens were counted.

    Raises:
        ConfigError: The price file cannot be used.
        LlmError: The ledger cannot be used.
    """
    from cotpd.llm.chat_request import ChatRequest  # noqa: PLC0415  needs the extra llm, which a study does not
    from cotpd.llm.ledger.ledger import Ledger  # noqa: PLC0415  likewise
    from cotpd.llm.ledger.recording import import_configured  # noqa: PLC0415  likewise
    from cotpd.llm.spending.prices import find_price  # noqa: PLC0415  likewise

    price = find_price(params.llm)
    if price is None or (keys is not None and not keys):
        return None
    with Ledger(params.llm.ledger) as ledger:
        import_configured(ledger, params.llm)
        costs: dict[str, float] = {}
        for entry in ledger.iterate_entries():
            is_counted = entry.prompt_tokens is not None and entry.completion_tokens is not None
            if is_counted and ChatRequest.parse(entry.request).body.get("model") == params.llm.model:
                costs[entry.key] = price.compute_cost(entry.prompt_tokens or 0, entry.completion_tokens or 0)
    chosen = [costs[key] for key in keys or () if key in costs] or list(costs.values())
    return sum(chosen) / len(chosen) if chosen else None
