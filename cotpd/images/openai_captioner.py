"""Captions by a vision model behind an OpenAI-compatible address, each bought once: they go through the ledger.

A picture travels in the request, resized as in :mod:`cotpd.images.picture_encoder`. All pictures are one round of
asking, which draws them as it needs them: limits count for the whole step, and batch mode submits all at once.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from cotpd.completions import Stop, classify_stop, cut_at_last_sentence, is_broken_off
from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.data.records import Answer, Kind
from cotpd.engine.ordered_map import LOCAL, Engine
from cotpd.errors import ConfigError
from cotpd.images.captioner import Description, PictureCaptioner, explain_failure
from cotpd.images.params import CaptionParams
from cotpd.images.picture_encoder import encode_picture
from cotpd.images.pictures import Picture, read_picture
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question

WORDING = (
    "Describe the picture in one plain sentence: what and who can be seen, and any text in it. At most 25 words."
)


class OpenAICaptioner(PictureCaptioner):
    """Asks a vision chat model.

    Args:
        params: ``model`` is the vision model's name; ``base_url`` null takes the one under llm, and its key is
            that of llm at the same address, at another the one that ``api_key_env`` names, or none.
        llm: Ledger, limits and the name of the key's variable.

    Raises:
        ConfigError: ``params.model`` is null.
    """

    backend = "openai"

    def __init__(self, params: CaptionParams, llm: LlmParams) -> None:
        if not params.model:
            raise ConfigError("caption.model: the openai backend needs a model", "Name one that sees pictures.")
        self._llm = merge_connection(params, params.model, llm)
        self._max_tokens = params.max_tokens

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        """Describe each picture in its order.

        Raises:
            LlmError: No server answers, or the server refuses key, quota or model.
        """
        descriptions = self._ask(map(self._build_question, pictures), len(pictures))
        return [descriptions[picture.name] for picture in pictures]

    def _describe_all(self, names: list[str], folder: PictureFolder, engine: Engine) -> dict[str, Description]:
        unreadable: dict[str, Description] = {}
        questions = self._build_questions(names, folder, unreadable)
        first = next(questions, None)  # a data set without pictures at hand needs neither ledger nor price
        descriptions = self._ask(chain([first], questions), len(names), engine) if first else {}
        return descriptions | unreadable

    def _build_questions(
        self, names: list[str], folder: PictureFolder, unreadable: dict[str, Description]
    ) -> Iterator[Question]:
        """Yield a question a picture; a picture that cannot be read or sent goes into ``unreadable`` instead."""
        for name in names:
            try:
                question = self._build_question(read_picture(folder, name))
            except UnreadableError as error:
                unreadable[name] = Description(None, str(error))
            except Exception as error:  # of an encoder, or for lack of memory: costs this picture its caption
                unreadable[name] = Description(None, f"{name}: {explain_failure(error)}")
            else:
                yield question

    def _ask(self, questions: Iterator[Question], total: int, engine: Engine = LOCAL) -> dict[str, Description]:
        outcome = ask(questions, self._llm, total=total, engine=engine)
        descriptions = {answer.id: _read_caption(answer) for answer in read_answers(outcome, self._llm)}
        for row in outcome.list_quarantined("caption"):
            descriptions[row.id] = Description(None, f"{row.id}: {row.reason}: {row.remedy}")
        return descriptions

    def _build_question(self, picture: Picture) -> Question:
        content = [
            {"type": "text", "text": WORDING},
            {"type": "image_url", "image_url": {"url": encode_picture(picture.image)}},
        ]
        messages = [{"role": "user", "content": content}]
        # A question must have a kind; of the six, this is the one about a picture's content.
        return Question(picture.name, Kind.IMAGE, messages, None, self._max_tokens, "caption.max_tokens")


def merge_connection(params: CaptionParams, model: str, llm: LlmParams) -> LlmParams:
    """Return how to reach the vision model: the llm section with the address and model of the caption section.

    Key, headers and extra body of llm stay with llm's address: no other server is sent a key that is not its own.
    """
    address = params.base_url or llm.base_url
    is_same_server = address.rstrip("/") == llm.base_url.rstrip("/")
    changes: dict[str, Any] = {"model": model, "base_url": address}
    for name, nothing in (("api_key_env", ""), ("headers_env", {}), ("extra_body", {})):
        value = getattr(params, name)
        inherited = getattr(llm, name) if is_same_server else nothing
        changes[name] = inherited if value is None else value
    return llm.model_copy(update=changes)


def _read_caption(answer: Answer) -> Description:
    """Return the caption in an answer; of one that was cut off, its whole sentences."""
    stop = classify_stop(answer.finish_reason)
    if stop is Stop.WITHHELD:
        return Description(None, f"{answer.id}: the model would not describe it ({answer.finish_reason})")
    if answer.problem:
        return Description(None, f"{answer.id}: {answer.problem}")
    if stop is Stop.WHOLE and not is_broken_off(answer.text):
        return Description(answer.text)
    sentences = cut_at_last_sentence(" ".join(answer.text.split()))
    if sentences:
        return Description(sentences)
    return Description(None, f"{answer.id}: cut before its first sentence was whole: raise caption.max_tokens")
