"""Answers that failed their checks, asked again with another seed, at most as often as is allowed.

Trade-off: at temperature 0 another seed gives the same answer, so a re-ask then has a temperature of its own.
Without a seed the temperature goes down a little each time, for the ledger answers what was asked before.
Each is a question like any other: the ledger answers it the next time.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cotpd.config import Params
from cotpd.data.records import Answer, Kind, Knowledge, Post, Quarantined
from cotpd.errors import LlmError
from cotpd.expectations import validate_answers
from cotpd.images.picture_encoder import sight
from cotpd.knowledge.questions import knowledge_requests
from cotpd.llm.ask import answers as answers_of
from cotpd.llm.ask import ask
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import Budget

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

log = logging.getLogger(__name__)

TEMPERATURE = 0.5  # of a re-ask where answers are asked for at 0
_COOLER = 0.95  # without a seed: by this the temperature goes down from attempt to attempt


def believed(
    answers: Sequence[Answer],
    posts: Sequence[Post],
    captions: Mapping[str, str | None],
    params: Params,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[Knowledge], list[Quarantined], int]:
    """Check answers, asking those that fail again up to ``validate.reask`` times.

    Where nothing answers, what has failed stays in quarantine, with a warning: checks do not need a model.

    Args:
        answers: What the model wrote, or what came with the data set; the latter is never asked for again.
        posts: All posts.
        captions: As the questions were put with, by post id.
        params: All parameters.
        context: Takes the results for Data Docs.

    Returns:
        Knowledge that holds and quarantined rows, both in the order of the answers, and the number of answers
        that were replaced.

    Raises:
        ValidationError: More than ``validate.max_failed_share`` fail after all.
    """
    current = {(row.id, row.kind): row for row in answers}
    lenient = params.validate_.model_copy(update={"max_failed_share": 1.0})
    left = params.llm
    for attempt in range(1, params.validate_.reask + 1):
        _, bad = validate_answers(list(current.values()), posts, lenient)
        failed = [current[row.id, Kind(row.row["kind"])] for row in bad]
        wanted = {(row.id, row.kind) for row in failed if row.source == "llm"}
        requests = _requests(wanted, posts, captions, params)
        if not requests:
            break
        if left.seed is None and left.temperature is None:
            log.warning("not asked again: without llm.seed and llm.temperature it would be the same question")
            break
        llm = varied(left, attempt)
        try:
            again = ask(requests, llm)
            current |= {(row.id, row.kind): row for row in answers_of(again, llm)}
        except LlmError as error:
            log.warning("not asked again: %s", error)
            break
        if unanswered := again.list_quarantined("validate"):
            log.warning(
                "%d of %d re-asks were not answered, first: %s",
                len(unanswered),
                len(requests),
                unanswered[0].reason,
            )
        left = _without(left, again.budget)
    rows = [current[row.id, row.kind] for row in answers]
    knowledge, quarantined = validate_answers(rows, posts, params.validate_, context)
    held = {(row.id, row.kind) for row in knowledge}
    replaced = sum(
        new.key != old.key and (old.id, old.kind) in held for new, old in zip(rows, answers, strict=True)
    )
    return knowledge, quarantined, replaced


def varied(llm: LlmParams, attempt: int) -> LlmParams:
    """The parameters of a further attempt, 1 the first: another seed, and a temperature at which it matters.

    Where no seed is sent, none is sent here either, and each attempt has a temperature of its own.
    """
    temperature = TEMPERATURE if llm.temperature == 0 else llm.temperature
    if llm.seed is not None:
        return llm.model_copy(update={"seed": llm.seed + attempt, "temperature": temperature})
    if temperature is not None:
        temperature = float(f"{temperature * _COOLER**attempt:.4g}")  # downwards: no server refuses that
    return llm.model_copy(update={"temperature": temperature})


def _without(llm: LlmParams, budget: Budget | None) -> LlmParams:
    """The parameters with what is left of their limits: all attempts together are one step."""
    if budget is None:
        return llm
    gone, limits = (budget.spent, budget.lost), {}
    if llm.max_tokens is not None:
        limits["max_tokens"] = max(0, llm.max_tokens - sum(one.tokens for one in gone))
    if llm.max_cost is not None:
        limits["max_cost"] = max(0.0, llm.max_cost - sum(one.cost for one in gone))
    return llm.model_copy(update=limits)


def _requests(
    wanted: set[tuple[str, Kind]], posts: Sequence[Post], captions: Mapping[str, str | None], params: Params
) -> list[Question]:
    ids = {id for id, _ in wanted}
    asked = [post for post in posts if post.id in ids]
    again = knowledge_requests(asked, captions, params.ask, sight(params))
    return [one for one in again if (one.id, one.kind) in wanted]
