"""What the tests of batches look at afterwards."""

from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.params import LlmParams
from tests.chat_server import build_questions


def list_texts(result) -> list[str]:
    return [answer.text for answer in result.answers]


def assert_no_job_is_left(params: LlmParams) -> None:
    with Ledger(params.ledger) as ledger:
        assert ledger.database.read("SELECT * FROM batch_job") == []
        assert ledger.database.read("SELECT * FROM batch_item") == []


def compute_key(params: LlmParams, text: str) -> str:
    (question,) = build_questions(text)
    return build_chat_request(params, question.messages, max_tokens=question.max_tokens).key
