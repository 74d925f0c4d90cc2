"""Captions by a vision model behind an OpenAI-compatible address, each bought once: they go through the ledger.

A picture travels in the request, resized as in :mod:`cotpd.images.picture_encoder`. All pictures are one round of
asking, which draws them as it needs them: limits count for the whole step, and batch mode submits all at once.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from cotpd.completions import Stop, classify_stop, cut_at_last_sentence, is_broken_off
from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.data.records import Answer, Kind
from cotpd.errors import ConfigError
from cotpd.images.captioner import Description, PictureCaptioner, explain_failure
from cotpd.images.params import CaptionParams
from cotpd.images.picture_encoder import data_url
from cotpd.images.pictures import Picture, read_picture
from cotpd.llm.ask import answers, ask
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
        at = params.base_url or llm.base_url
        same = at.rstrip("/") == llm.base_url.rstrip("/")
        key = llm.api_key_env if same else ""  # no server gets another's key
        own = {"model": params.model, "base_url": at, "api_key_env": params.api_key_env or key}
        for name in ("headers_env", "extra_body"):
            given = getattr(params, name)
            own[name] = given if given is not None else getattr(llm, name) if same else {}
        self._llm = llm.model_copy(update=own)
        self._max_tokens = params.max_tokens

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        """See :class:`PictureCaptioner`.

        Raises:
            LlmError: Nothing answers, or the server refuses key, quota or model.
        """
        descriptions = self._ask(map(self._request, pictures), len(pictures))
        return [descriptions[picture.name] for picture in pictures]

    def _describe_all(self, names: list[str], folder: PictureFolder) -> dict[str, Description]:
        unreadable: dict[str, Description] = {}
        requests = self._requests(names, folder, unreadable)
        first = next(requests, None)  # a data set without pictures at hand needs neither ledger nor price
        described = self._ask(chain([first], requests), len(names)) if first else {}
        return described | unreadable

    def _requests(
        self, names: list[str], folder: PictureFolder, unreadable: dict[str, Description]
    ) -> Iterator[Question]:
        """A request a picture; why one cannot be read or sent goes into ``unreadable``."""
        for name in names:
            try:
                request = self._request(read_picture(folder, name))
            except UnreadableError as error:
                unreadable[name] = Description(None, str(error))
            except Exception as error:  # an encoder's, or a lack of memory: costs this picture its caption
                unreadable[name] = Description(None, f"{name}: {explain_failure(error)}")
            else:
                yield request

    def _ask(self, requests: Iterator[Question], total: int) -> dict[str, Description]:
        asked = ask(requests, self._llm, total=total)
        described = {answer.id: _read_caption(answer) for answer in answers(asked, self._llm)}
        failures = asked.list_quarantined("caption")
        return described | {row.id: Description(None, f"{row.id}: {row.reason}: {row.remedy}") for row in failures}

    def _request(self, picture: Picture) -> Question:
        content = [
            {"type": "text", "text": WORDING},
            {"type": "image_url", "image_url": {"url": data_url(picture.image)}},
        ]
        # A request must have a kind; of the six, this is the one about what a picture shows.
        messages = [{"role": "user", "content": content}]
        return Question(picture.name, Kind.IMAGE, messages, None, self._max_tokens, "caption.max_tokens")


def _read_caption(answer: Answer) -> Description:
    """The caption in an answer: of one that was cut off, what is whole of it."""
    stop = classify_stop(answer.finish_reason)
    if stop is Stop.WITHHELD:
        return Description(None, f"{answer.id}: the model would not describe it ({answer.finish_reason})")
    if answer.problem:
        return Description(None, f"{answer.id}: {answer.problem}")
    if stop is Stop.WHOLE and not is_broken_off(answer.text):
        return Description(answer.text)
    if whole := cut_at_last_sentence(" ".join(answer.text.split())):
        return Description(whole)
    return Description(None, f"{answer.id}: cut before its first sentence was whole: raise caption.max_tokens")
