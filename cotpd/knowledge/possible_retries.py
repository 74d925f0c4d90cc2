"""Which questions the validate step may ask again at most: the plan counts them before any answer is there."""

from collections.abc import Iterator, Sequence

from cotpd.data.records import Post
from cotpd.expectations.params import ValidateParams
from cotpd.knowledge.recorded_answers import find_answers
from cotpd.knowledge.retry import Key, build_retry_params, find_failed, get_key
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question


def iterate_possible_retries(
    questions: Sequence[Question], posts: Sequence[Post], *, params: ValidateParams, draws: int, llm: LlmParams
) -> Iterator[tuple[Question, LlmParams]]:
    """Yield each question that may be asked again, and the parameters it is asked with, as often as it may be.

    An answer in the ledger is checked: one that holds is not asked for again. Any other may fail each time.

    Args:
        questions: The questions of the ask step.
        posts: The posts that they are about.
        params: How often a failing answer is asked for again.
        draws: ``ask.answers``.
        llm: The parameters of the first request.

    Raises:
        LlmError: The ledger cannot be used.
    """
    by_key = {(question.id, question.kind, question.draw): question for question in questions}
    outcome, unanswered = find_answers(questions, llm)
    latest = {get_key(row): row for row in read_answers(outcome, llm)}
    for attempt in range(1, params.reask + 1):
        retry_params = build_retry_params(llm, attempt * draws)
        if retry_params is None:  # the step cannot ask again either
            return
        failed: set[Key] = find_failed(list(latest.values()), posts, params)
        pending = [*unanswered, *(by_key[key] for key in by_key if key in failed)]
        outcome, unanswered = find_answers(pending, retry_params)
        for question in unanswered:
            yield question, retry_params
        latest = {get_key(row): row for row in read_answers(outcome, retry_params)}
