"""The questions for knowledge, by post, kind and draw: the ask step asks them, and the plan counts them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from cotpd.data.records import Kind, Post
from cotpd.knowledge.params import AskParams
from cotpd.llm.chat_request import Message
from cotpd.llm.prompts import PromptSet
from cotpd.llm.question import Question

EncodePicture = Callable[[Post], str | None]
"""Returns a post's picture as a data URL, None if it has no readable one."""
_IN_PLACE_OF_CAPTION = "the picture itself, which is attached"


def find_missing_knowledge(
    posts: Iterable[Post],
    captions: Mapping[str, str | None],
    params: AskParams,
    encode_picture: EncodePicture | None = None,
) -> Iterator[tuple[Post, Kind]]:
    """Yield the knowledge to ask for, as post and kind, in the order of the posts and of ``params.kinds``.

    A kind that a post brought along is left out. So is the relation of text and image (multimodality) of a post
    without a caption; with ``encode_picture``, of a post without caption and picture.
    """
    for post in posts:
        has_image = bool(captions.get(post.id) or (encode_picture and post.image))
        for kind in params.kinds:
            if kind not in post.knowledge and (kind is not Kind.MULTIMODALITY or has_image):
                yield post, kind


def build_questions(
    posts: Iterable[Post],
    captions: Mapping[str, str | None],
    params: AskParams,
    encode_picture: EncodePicture | None = None,
) -> Iterator[Question]:
    """Yield the questions for missing knowledge, in the order of :func:`find_missing_knowledge`.

    Each is there ``params.answers`` times, as draws that become requests of their own.

    Args:
        posts: The posts.
        captions: By post id.
        params: Kinds and prompt set.
        encode_picture: Shows the model the picture itself in the question about text and image. A post whose
            picture cannot be read is asked about with its caption, and not at all without one. None shows captions
            alone.

    Raises:
        ConfigError: The prompt set cannot be used.
    """
    prompts = PromptSet.load(params.prompts, params.kinds)
    for post, kind in find_missing_knowledge(posts, captions, params, encode_picture):
        fields, picture = {"text": post.text}, None
        if kind is Kind.MULTIMODALITY:
            picture = encode_picture(post) if encode_picture else None
            caption = _IN_PLACE_OF_CAPTION if picture else captions.get(post.id)
            if not caption:
                continue
            fields["caption"] = caption

        prompt = prompts.render(kind, **fields)
        max_tokens, limit = prompt.limit(params.max_tokens, "ask.max_tokens")
        messages = attach_picture(prompt.messages, picture) if picture else prompt.messages
        for draw in range(params.answers):
            yield Question(post.id, kind, messages, prompt.schema, max_tokens, limit, draw=draw)


def attach_picture(messages: list[Message], picture: str) -> list[Message]:
    """Return the messages with a picture at the very end: servers reuse the beginning that all posts share."""
    *before, last = messages
    parts = [
        {"type": "text", "text": last["content"]},
        {"type": "image_url", "image_url": {"url": picture}},
    ]
    return [*before, {**last, "content": parts}]
