"""Check the texts that machines wrote with Great Expectations: captions, answers and rewrites.

Great Expectations takes three seconds to import, so the first check of a table with rows imports it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cotpd.data.records import Answer, Caption, Knowledge, Post, Quarantined
from cotpd.expectations.frames import extract_knowledge_text
from cotpd.expectations.params import ValidateParams
from cotpd.expectations.runner import check_rows

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

__all__ = ["check_rows", "validate_answers", "validate_captions"]


def validate_answers(
    answers: Sequence[Answer],
    posts: Sequence[Post],
    params: ValidateParams,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[Knowledge], list[Quarantined]]:
    """Split answers into knowledge (those that pass, as tidy lines) and quarantined rows with reasons.

    Args:
        answers: Answers to the questions for knowledge.
        posts: The posts that they are about.
        params: The share that may fail.
        context: Collects the results for Data Docs; None discards them.

    Raises:
        ConfigError: The suite cannot be used.
        ValidationError: More than ``params.max_failed_share`` of them fail.
    """
    post_of = {post.id: post for post in posts}
    passed, quarantined = check_rows(
        answers, "answers", post_of, max_failed_share=params.max_failed_share, context=context
    )
    knowledge = [Knowledge(id=row.id, kind=row.kind, text=extract_knowledge_text(row)) for row in passed]
    return knowledge, quarantined


def validate_captions(
    captions: Sequence[Caption],
    posts: Sequence[Post],
    params: ValidateParams,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[Caption], list[Quarantined]]:
    """Split captions into those that pass and quarantined rows with reasons; rows without one are in neither.

    Args:
        captions: The captioner's table.
        posts: The posts that they belong to.
        params: The share that may fail.
        context: Collects the results for Data Docs; None discards them.

    Raises:
        ConfigError: The suite cannot be used.
        ValidationError: More than ``params.max_failed_share`` of the captions fail.
    """
    with_text = [row for row in captions if row.caption]
    post_of = {post.id: post for post in posts}
    return check_rows(with_text, "captions", post_of, max_failed_share=params.max_failed_share, context=context)
