"""Answers that failed their checks, asked again with another seed, at most as often as is allowed.

Trade-off: at temperature 0 another seed gives the same answer, so a re-ask then has a temperature of its own.
Each is a question like any other: the ledger answers it the next time.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cotpd.config import LlmParams, Params
from cotpd.data.records import Answer, Kind, Knowledge, Post, Quarantined
from cotpd.errors import LlmError
from cotpd.expectations import validate_answers
from cotpd.images.sight import sight
from cotpd.llm.ask import Request, ask_all
from cotpd.llm.questions import knowledge_requests

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

log = logging.getLogger(__name__)

TEMPERATURE = 0.5  # of a re-ask where answers are asked for at 0
STEP = 0.1  # by which it rises with every attempt where there is no seed to change


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
    llm = params.llm
    for attempt in range(1, params.validate_.reask + 1):
        _, bad = validate_answers(list(current.values()), posts, lenient)
        failed = [current[row.id, Kind(row.row["kind"])] for row in bad]
        wanted = {(row.id, row.kind) for row in failed if row.source == "llm"}
        requests = _requests(wanted, posts, captions, params)
        if not requests:
            break
        try:
            again = ask_all(requests, varied(llm, attempt), step="validate")
            llm = again.left(llm)  # the limits are the step's, and not of every attempt
        except LlmError as error:
            log.warning("not asked again: %s", error)
            break
        if again.failed:
            log.warning("%d answers could not be asked for again: %s", len(again.failed), again.failed[0].reason)
        current |= {(row.id, row.kind): row for row in again.answers}
    rows = [current[row.id, row.kind] for row in answers]
    knowledge, quarantined = validate_answers(rows, posts, params.validate_, context)
    held = {(row.id, row.kind) for row in knowledge}
    replaced = sum(
        new.key != old.key and (old.id, old.kind) in held for new, old in zip(rows, answers, strict=True)
    )
    return knowledge, quarantined, replaced


def varied(llm: LlmParams, attempt: int) -> LlmParams:
    """The parameters of a further attempt, 1 the first: another seed, and a temperature at which it matters.

    To a server that takes no seed none is sent: then it is the temperature that differs.
    """
    temperature = TEMPERATURE if llm.temperature == 0 else llm.temperature
    if llm.seed is not None:
        return llm.model_copy(update={"seed": llm.seed + attempt, "temperature": temperature})
    if temperature is not None:
        temperature = round(temperature + STEP * attempt, 2)
    return llm.model_copy(update={"temperature": temperature})


def _requests(
    wanted: set[tuple[str, Kind]], posts: Sequence[Post], captions: Mapping[str, str | None], params: Params
) -> list[Request]:
    ids = {id for id, _ in wanted}
    asked = [post for post in posts if post.id in ids]
    again = knowledge_requests(asked, captions, params.ask, sight(params))
    return [one for one in again if (one.id, one.kind) in wanted]
