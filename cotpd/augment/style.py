"""style: the post in other words; its labels move to the mentions that the model kept to the letter."""

from collections.abc import Container

from cotpd.augment.attempt import Attempt, Rejected
from cotpd.augment.projection import ProjectionError, project_labels
from cotpd.data.records import KNOWLEDGE_KINDS, Answer, Augmented, Kind, Post, TextRule
from cotpd.expectations.frames import extract_rewrite
from cotpd.llm.prompts import PromptSet


def build_attempt(post: Post, prompts: PromptSet) -> Attempt:
    """Return the question for a rewrite, which names the mentions to keep."""
    mentions = list(dict.fromkeys(post.get_mention(entity) for entity in post.entities))
    return Attempt(post, Kind.STYLE, prompts.render(Kind.STYLE, text=post.text, mentions=mentions))


def accept_answer(
    attempt: Attempt, answer: Answer, foreign_mentions: Container[str], rule: TextRule = "social"
) -> Augmented:
    """Return the rewritten post; it means the same, so all knowledge about the old one holds for it.

    Args:
        attempt: The question.
        answer: An answer that passed the augmented suite.
        foreign_mentions: Mentions of the training split; one that the rewrite introduces would have no label.
        rule: The rule by which the rewrite becomes words.

    Raises:
        Rejected: The labels cannot be carried over safely.
    """
    try:
        post = project_labels(attempt.post, extract_rewrite(answer), foreign_mentions, rule)
    except ProjectionError as error:
        raise Rejected(str(error)) from None
    return attempt.build_augmented(post, answer, keep_knowledge=KNOWLEDGE_KINDS)
