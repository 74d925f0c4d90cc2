"""The questions for knowledge: one a post and kind, as the ask step puts them and as the plan counts them."""

from collections.abc import Iterable, Iterator, Mapping

from cotpd.config import AskParams
from cotpd.data.records import Kind, Post
from cotpd.llm.ask import Request
from cotpd.llm.prompts import PromptSet


def knowledge_wanted(
    posts: Iterable[Post], captions: Mapping[str, str | None], params: AskParams
) -> Iterator[tuple[Post, Kind]]:
    """Which knowledge of which post to ask for, in the order of the posts and of ``params.kinds``.

    Left out are kinds that a post brought along, and text and image of a post without a caption.
    """
    for post in posts:
        for kind in params.kinds:
            if kind not in post.knowledge and (kind is not Kind.MULTIMODALITY or captions.get(post.id)):
                yield post, kind


def knowledge_requests(
    posts: Iterable[Post], captions: Mapping[str, str | None], params: AskParams
) -> Iterator[Request]:
    """The requests for what is wanted, in its order.

    Raises:
        ConfigError: The prompt set cannot be used.
    """
    prompts = PromptSet.load(params.prompts)
    for post, kind in knowledge_wanted(posts, captions, params):
        seen = {"caption": captions.get(post.id)} if kind is Kind.MULTIMODALITY else {}
        prompt = prompts.render(kind, text=post.text, **seen)
        yield Request(
            id=post.id,
            kind=kind,
            messages=prompt.messages,
            schema=prompt.schema,
            max_tokens=prompt.max_tokens or params.max_tokens,
        )
