"""What is believed of what machines wrote: Great Expectations over captions, answers and rewrites.

Great Expectations takes three seconds to import, so it is imported by the first check of a table with rows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cotpd.data.records import Answer, Caption, Knowledge, Post, Quarantined
from cotpd.expectations.frames import knowledge_text
from cotpd.expectations.params import ValidateParams
from cotpd.expectations.runner import check

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

__all__ = ["check", "validate_answers", "validate_captions"]


def validate_answers(
    answers: Sequence[Answer],
    posts: Sequence[Post],
    params: ValidateParams,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[Knowledge], list[Quarantined]]:
    """Answers that hold, as tidy lines of knowledge, and the others with their reasons.

    Raises:
        ValidationError: More than ``params.max_failed_share`` of them failed.
    """
    by_id = {post.id: post for post in posts}
    passed, quarantined = check(
        answers, "answers", by_id, max_failed_share=params.max_failed_share, context=context
    )
    return [Knowledge(id=row.id, kind=row.kind, text=knowledge_text(row)) for row in passed], quarantined


def validate_captions(
    captions: Sequence[Caption],
    posts: Sequence[Post],
    params: ValidateParams,
    context: "EphemeralDataContext | None" = None,
) -> tuple[list[Caption], list[Quarantined]]:
    """Captions that hold, and the others with their reasons; posts without a caption are in neither.

    Raises:
        ValidationError: More than ``params.max_failed_share`` of the captions failed.
    """
    said = [row for row in captions if row.caption]
    by_id = {post.id: post for post in posts}
    return check(said, "captions", by_id, max_failed_share=params.max_failed_share, context=context)
