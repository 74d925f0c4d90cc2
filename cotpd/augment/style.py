"""style: the post in other words, its labels projected on the mentions that the model kept to the letter."""

from collections.abc import Container

from cotpd.augment.attempt import Attempt, Rejected
from cotpd.augment.projection import ProjectionError, project
from cotpd.data.records import KNOWLEDGE_KINDS, Answer, Augmented, Kind, Post
from cotpd.expectations.frames import extract_rewrite
from cotpd.llm.prompts import PromptSet


def ask(post: Post, prompts: PromptSet) -> Attempt:
    """The question for a post: its text, and the mentions to keep."""
    mentions = list(dict.fromkeys(post.get_mention(entity) for entity in post.entities))
    return Attempt(post, Kind.STYLE, prompts.render(Kind.STYLE, text=post.text, mentions=mentions))


def take(question: Attempt, answer: Answer, strangers: Container[str]) -> Augmented:
    """The rewritten post; it says the same, so all knowledge about the old one still holds.

    Args:
        question: What was asked.
        answer: An answer that passed the augmented suite.
        strangers: Mentions of the training split, which must not come in unlabelled.

    Raises:
        Rejected: The labels cannot be carried over safely.
    """
    try:
        post = project(question.post, extract_rewrite(answer), strangers)
    except ProjectionError as error:
        raise Rejected(str(error)) from None
    return question.augmented(post, answer, keep_knowledge=KNOWLEDGE_KINDS)
