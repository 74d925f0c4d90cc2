"""The questions for knowledge: one a post and kind, as the ask step puts them and as the plan counts them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from cotpd.data.records import Kind, Post
from cotpd.knowledge.params import AskParams
from cotpd.llm.chat_request import Message
from cotpd.llm.prompts import PromptSet
from cotpd.llm.question import Question

See = Callable[[Post], str | None]  # a post's picture as a data URL, None where there is none to show
_SHOWN = "the picture itself, which is attached"  # stands where a prompt has the caption


def knowledge_wanted(
    posts: Iterable[Post], captions: Mapping[str, str | None], params: AskParams, see: See | None = None
) -> Iterator[tuple[Post, Kind]]:
    """Which knowledge of which post to ask for, in the order of the posts and of ``params.kinds``.

    Left out are kinds that a post brought along, and text and image of a post without a caption; with ``see``, of
    a post without a caption or picture.
    """
    for post in posts:
        shown = captions.get(post.id) or (see and post.image)
        for kind in params.kinds:
            if kind not in post.knowledge and (kind is not Kind.MULTIMODALITY or shown):
                yield post, kind


def knowledge_requests(
    posts: Iterable[Post], captions: Mapping[str, str | None], params: AskParams, see: See | None = None
) -> Iterator[Question]:
    """The requests for what is wanted, in its order.

    Args:
        posts: The posts.
        captions: By post id.
        params: Kinds and prompt set.
        see: Shows the model the picture itself in the question for text and image. A post whose picture cannot
            be shown is asked with its caption, and not at all if it has none. None shows no picture.

    Raises:
        ConfigError: The prompt set cannot be used.
    """
    prompts = PromptSet.load(params.prompts)
    for post, kind in knowledge_wanted(posts, captions, params, see):
        fields, picture = {"text": post.text}, None
        if kind is Kind.MULTIMODALITY:
            picture = see(post) if see else None
            if not (caption := _SHOWN if picture else captions.get(post.id)):
                continue
            fields["caption"] = caption
        prompt = prompts.render(kind, **fields)
        length, limit = prompt.limit(params.max_tokens, "ask.max_tokens")
        yield Question(
            id=post.id,
            kind=kind,
            messages=attach(prompt.messages, picture) if picture else prompt.messages,
            schema=prompt.schema,
            max_tokens=length,
            limit=limit,
        )


def attach(messages: list[Message], picture: str) -> list[Message]:
    """The messages with a picture behind the words of the last one: what all posts share stays in front."""
    *before, last = messages
    parts = [
        {"type": "text", "text": last["content"]},
        {"type": "image_url", "image_url": {"url": picture}},
    ]
    return [*before, {**last, "content": parts}]
