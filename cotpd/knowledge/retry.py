"""Ask again for answers that fail their checks, at most as often as ``validate.reask`` allows.

Trade-off: at temperature 0 another seed gives the same answer, so a retry has a temperature of its own. Without a
seed the temperature falls a little with each attempt, because the ledger would answer the same request again.
Where a question has several answers, the seeds of retries begin behind those of the answers: a retry of one must
not be another. A retry is a question like any other: when the step runs again, the ledger answers it.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cotpd.data.records import Answer, Kind, Knowledge, Post, Quarantined
from cotpd.errors import LlmError
from cotpd.expectations import validate_answers
from cotpd.expectations.params import ValidateParams
from cotpd.knowledge.params import AskParams
from cotpd.knowledge.questions import EncodePicture, build_questions
from cotpd.knowledge.several_answers import combine_answers
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask
from cotpd.llm.draws import build_sampling_params
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import Budget

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

log = logging.getLogger(__name__)

Key = tuple[str, Kind, int]  # post, kind and draw

TEMPERATURE = 0.5  # of a retry, if the first answer was asked for at 0


def validate_with_retries(
    answers: Sequence[Answer],
    posts: Sequence[Post],
    captions: Mapping[str, str | None],
    *,
    params: ValidateParams,
    ask_params: AskParams,
    llm: LlmParams,
    encode_picture: EncodePicture | None = None,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[Knowledge], list[Quarantined], int]:
    """Check answers, and ask again for those that fail, up to ``params.reask`` times.

    If the model cannot be asked, the failing answers stay quarantined, and a warning is logged: checks need no
    model.

    Args:
        answers: From the model, or from the data set; the latter are never asked for again.
        posts: All posts.
        captions: By post id, as in the first questions.
        params: The share that may fail, and the number of retries.
        ask_params: Kinds and prompts of the questions.
        llm: The model; its limits hold for all retries together.
        encode_picture: As in the first questions.
        context: Collects the results for Data Docs; None discards them.

    Returns:
        Knowledge, a row for each post and kind with an answer that passes, and a quarantined row for each answer
        that fails, both in the order of the answers; and the number of answers that a retry replaced.

    Raises:
        ValidationError: More than ``params.max_failed_share`` fail after all retries.
    """
    latest = {get_key(row): row for row in answers}
    remaining = llm
    for attempt in range(1, params.reask + 1):
        keys = find_failed(list(latest.values()), posts, params)
        questions = _rebuild_questions(keys, posts, captions, ask_params, encode_picture)
        retried = _ask_again(questions, remaining, attempt * ask_params.answers) if questions else None
        if retried is None:
            break
        new_answers, budget = retried
        latest |= {get_key(row): row for row in new_answers}
        remaining = _subtract_spending(remaining, budget)

    final = [latest[get_key(row)] for row in answers]
    knowledge, quarantined = validate_answers(final, posts, params, context)
    failed = set(map(_get_quarantined_key, quarantined))
    replaced = [
        new for new, old in zip(final, answers, strict=True) if new.key != old.key and get_key(new) not in failed
    ]
    return combine_answers(knowledge, ask_params.combine), quarantined, len(replaced)


def get_key(row: Answer) -> Key:
    """Return what names an answer: its post, kind and draw."""
    return row.id, row.kind, row.draw


def _get_quarantined_key(row: Quarantined) -> Key:
    return row.id, Kind(row.row["kind"]), row.row.get("draw", 0)


def build_retry_params(llm: LlmParams, number: int) -> LlmParams | None:
    """Return the parameters of a retry: another seed, and a temperature above 0.

    Without a seed, none is sent here either, and each attempt has a temperature of its own.

    Args:
        llm: The parameters of the first request.
        number: 1 for the first retry of a single answer. Of several answers, their number for the first retry,
            twice their number for the second: the numbers between belong to the further answers.

    Returns:
        None if neither a seed nor a temperature is sent: the retry would be the same request.
    """
    return build_sampling_params(llm, number, TEMPERATURE)


def find_failed(answers: Sequence[Answer], posts: Sequence[Post], params: ValidateParams) -> set[Key]:
    """Return the keys of the model's answers that fail their checks."""
    lenient = params.model_copy(update={"max_failed_share": 1.0})
    _, quarantined = validate_answers(answers, posts, lenient)
    failed = set(map(_get_quarantined_key, quarantined))
    return {get_key(row) for row in answers if row.source == "llm"} & failed


def _rebuild_questions(
    keys: set[Key],
    posts: Sequence[Post],
    captions: Mapping[str, str | None],
    params: AskParams,
    encode_picture: EncodePicture | None,
) -> list[Question]:
    """Return the questions of some answers, as they were asked first."""
    ids = {post_id for post_id, *_ in keys}
    concerned = [post for post in posts if post.id in ids]
    questions = build_questions(concerned, captions, params, encode_picture)
    return [question for question in questions if (question.id, question.kind, question.draw) in keys]


def _ask_again(
    questions: Sequence[Question], llm: LlmParams, number: int
) -> tuple[list[Answer], Budget | None] | None:
    """Return the new answers and the spending; None, with a warning, if the model cannot be asked."""
    retry_params = build_retry_params(llm, number)
    if retry_params is None:
        log.warning("not asked again: without llm.seed and llm.temperature it would be the same question")
        return None
    try:
        outcome = ask(questions, retry_params)
        answers = list(read_answers(outcome, retry_params))
    except LlmError as error:
        log.warning("not asked again: %s", error)
        return None

    unanswered = outcome.list_quarantined("validate")
    if unanswered:
        first = unanswered[0].reason
        log.warning("%d of %d re-asks were not answered, first: %s", len(unanswered), len(questions), first)
    return answers, outcome.budget


def _subtract_spending(llm: LlmParams, budget: Budget | None) -> LlmParams:
    """Return the parameters with the rest of their limits: all retries together must keep to the step's limits."""
    if budget is None:
        return llm
    expenses = (budget.spent, budget.lost)
    limits: dict[str, float] = {}
    if llm.max_tokens is not None:
        limits["max_tokens"] = max(0, llm.max_tokens - sum(expense.tokens for expense in expenses))
    if llm.max_cost is not None:
        limits["max_cost"] = max(0.0, llm.max_cost - sum(expense.cost for expense in expenses))
    return llm.model_copy(update=limits)
