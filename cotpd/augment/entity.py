"""entity: swap a mention for another of its group, and keep the post if the model thinks it possible in fact."""

import random
import re
from typing import Any

from cotpd.augment.attempt import Attempt, Rejected
from cotpd.augment.mentions import Mentions
from cotpd.augment.swap import draw_swap
from cotpd.data.records import Answer, Augmented, Kind, Post, TextRule
from cotpd.llm.prompts import PromptSet

_YES = re.compile(r"\W*yes\b", re.IGNORECASE)
_MAX_SHOWN = 200  # characters of an answer in a reason


def build_attempt(
    post: Post, prompts: PromptSet, mentions: Mentions, rng: random.Random, rule: TextRule = "social"
) -> Attempt | None:
    """Return the fact check of a drawn swap; None if nothing in the post can be swapped."""
    swap = draw_swap(post, mentions, rng, rule)
    if swap is None:
        return None
    fields = {"old": swap.old, "new": swap.new, "type": ", ".join(swap.group)}
    rendered = prompts.render(Kind.ENTITY, text=swap.post.text, **fields)
    return Attempt(post, Kind.ENTITY, rendered, candidate=swap.post, details=fields)


def accept_answer(attempt: Attempt, answer: Answer) -> Augmented:
    """Return the swapped post, without picture, caption and knowledge: they are about the old entity.

    Raises:
        Rejected: The answer does not begin with yes.
        ValueError: The attempt is of another kind.
    """
    if attempt.candidate is None:
        raise ValueError(f"not a fact check: {attempt.kind}")
    if not _YES.match(answer.text):
        verdict = " ".join(answer.text.split())[:_MAX_SHOWN]
        raise Rejected(f"the fact check does not say yes but {verdict!r}")
    removed: dict[str, Any] = {"image": None, "image_digest": None, "caption": None, "knowledge": {}}
    return attempt.build_augmented(attempt.candidate.model_copy(update=removed), answer)
