"""Answers that the ledger holds already, to questions that are not asked now: for studies and for the plan."""

from collections.abc import Sequence

from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import import_configured
from cotpd.llm.outcome import AskedQuestion, AskingOutcome
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import Budget


def find_answers(questions: Sequence[Question], llm: LlmParams) -> tuple[AskingOutcome, list[Question]]:
    """Return the questions that the ledger answers, and the others. Nothing is asked.

    Raises:
        LlmError: The ledger cannot be used.
    """
    outcome = AskingOutcome(Budget.from_params(llm.model_copy(update={"max_cost": None, "max_tokens": None})))
    requests = [question.build_request(llm) for question in questions]
    with Ledger(llm.ledger) as ledger:
        import_configured(ledger, llm)
        keys = ledger.find_answer_keys({request.key: request for request in requests})
    missing = []
    for question, request in zip(questions, requests, strict=True):
        if request.key in keys:
            outcome.questions.append(
                AskedQuestion(
                    question.id, question.kind, keys[request.key], question.schema, question.limit, question.draw
                )
            )
        else:
            missing.append(question)
    return outcome, missing
