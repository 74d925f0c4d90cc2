"""entity: a mention swapped for another of its kind, kept if the model holds the new post possible in fact."""

import random
import re

from cotpd.augment.attempt import Attempt, Rejected
from cotpd.augment.mentions import Mentions
from cotpd.augment.swap import draw_swap
from cotpd.data.records import Answer, Augmented, Kind, Post
from cotpd.llm.prompts import PromptSet

_YES = re.compile(r"\W*yes\b", re.IGNORECASE)


def ask(post: Post, prompts: PromptSet, mentions: Mentions, rng: random.Random) -> Attempt | None:
    """The fact check of a drawn swap; None if nothing in the post can be swapped."""
    swap = draw_swap(post, mentions, rng)
    if swap is None:
        return None
    fields = {"old": swap.old, "new": swap.new, "type": ", ".join(swap.group)}
    rendered = prompts.render(Kind.ENTITY, text=swap.post.text, **fields)
    return Attempt(post, Kind.ENTITY, rendered, made=swap.post, about=fields)


def take(question: Attempt, answer: Answer) -> Augmented:
    """The swapped post. Knowledge and picture speak of the old entity, so none of them is kept.

    Raises:
        Rejected: The answer does not begin with yes.
    """
    if question.made is None:
        raise ValueError("not the question of a swap")
    if not _YES.match(answer.text):
        said = " ".join(answer.text.split())[:200]
        raise Rejected(f"the fact check does not say yes but {said!r}")
    post = question.made.model_copy(update={"image": None, "image_digest": None, "caption": None, "knowledge": {}})
    return question.augmented(post, answer)
