"""Answers: what the raw completions in the ledger say, without reasoning and in the words of their schema."""

from collections.abc import Iterator

from cotpd.completions import Stop, classify_stop, clean_answer, has_control_tokens, strip_control_tokens
from cotpd.data.records import Answer, Kind
from cotpd.errors import LlmError
from cotpd.llm.answer_schema import answer_as_json, answer_as_text
from cotpd.llm.completion import Completion, read_completion
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.outcome import AskedQuestion, AskingOutcome
from cotpd.llm.params import LlmParams
from cotpd.llm.secret_mask import SecretMask

INVALID = "invalid"  # finish reason of an answer that does not match its prompt's schema; its text stays raw
_PAGE = 500  # questions whose answers are in memory at once


def read_answers(outcome: AskingOutcome, params: LlmParams) -> Iterator[Answer]:
    """Yield the answers of a session in the order of its questions, read from the ledger a page at a time.

    Raises:
        LlmError: An answer was removed from the ledger since.
    """
    mask = SecretMask.from_params(params)  # older versions recorded some spellings of a key unmasked
    with Ledger(params.ledger) as ledger:
        for start in range(0, len(outcome.questions), _PAGE):
            page = outcome.questions[start : start + _PAGE]
            questions = [question for question in page if question.key not in outcome.failures]
            keys = [outcome.schemaless_keys.get(question.key, question.key) for question in questions]
            responses = ledger.read_responses(keys)
            for question, key in zip(questions, keys, strict=True):
                if key not in responses:
                    raise LlmError(f"{params.ledger}: the answer {key} is gone", "Run again: it is asked again.")
                yield _build_answer(question, key, mask.mask_body(responses[key]))


def build_dataset_answer(post_id: str, kind: Kind, text: str) -> Answer:
    """Return the answer that a data set brought along, which some model wrote."""
    cleaned = clean_answer(text)
    problem = "" if cleaned.finished else "the model's reasoning does not end"
    return Answer(id=post_id, kind=kind, text=cleaned.text, source="dataset", problem=problem)


def _build_answer(question: AskedQuestion, key: str, response: str) -> Answer:
    completion = read_completion(response)
    text, problem = _extract_text(completion, question.limit)
    finish_reason = completion.finish_reason
    if question.schema and not problem and classify_stop(finish_reason) is not Stop.WITHHELD:
        try:
            read = answer_as_json if question.kind is Kind.EXTRACT else answer_as_text
            text = read(text, question.schema)
            text = strip_control_tokens(text) if has_control_tokens(text) else text
        except ValueError:
            if classify_stop(finish_reason) is Stop.CUT:
                problem = (
                    f"the answer was cut off and does not hold to its prompt's schema: raise {question.limit}"
                )
            finish_reason = INVALID
    return Answer(
        id=question.id,
        kind=question.kind,
        text=text,
        source="llm",
        model=completion.model,
        key=key,
        finish_reason=finish_reason,
        problem=problem,
        draw=question.draw,
    )


def _extract_text(completion: Completion, limit: str) -> tuple[str, str]:
    """Return a completion's answer and the reason why there is none.

    An empty answer without a reason is returned as it is: the checks of the pipeline refuse it.

    Args:
        completion: What the model wrote.
        limit: The parameter that limits its length, named in the reason.
    """
    cleaned = clean_answer(completion.text)
    stop = classify_stop(completion.finish_reason)
    if not cleaned.finished:
        end = f"was cut off before the answer: raise {limit}" if stop is Stop.CUT else "does not end"
        return "", f"the model's reasoning {end}"
    if cleaned.text.strip() or stop is Stop.WITHHELD:
        return cleaned.text, ""
    if stop is Stop.CUT:
        return "", f"cut before its first word: raise {limit}"
    if cleaned.reasoned or completion.reasoned:
        return "", "the model reasoned and gave no answer"
    return cleaned.text, ""
