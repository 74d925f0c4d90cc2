"""Build the tables that the suites check: one function a suite, which joins a row with its post.

A cell that does not apply to a row is None; expectations ignore it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cotpd.completions import Stop, classify_stop, has_sentence_end, is_broken_off
from cotpd.data.records import Answer, Caption, Kind, Post
from cotpd.expectations.wording import make_plain_line

Cells = Mapping[str, str | None]


def build_answer_cells(row: Answer, post: Post) -> Cells:
    """Build a row of ``answers``: the text, the knowledge in it, the post, and how the model stopped."""
    return {
        "id": row.id,
        "kind": row.kind.value,
        "draw": str(row.draw + 1) if row.draw else None,  # of several answers to one question
        "text": row.text.strip(),
        "knowledge": extract_knowledge_text(row),
        "post": post.text,
        "finish_reason": _find_end(row),
    }


def build_caption_cells(row: Caption, post: Post) -> Cells:
    """Build a row of ``captions``: the caption and the post."""
    return {"id": row.id, "backend": row.backend, "caption": row.caption, "post": post.text}


def build_augmented_cells(row: Answer, post: Post) -> Cells:
    """Build a row of ``augmented``: the answer in the column of its kind (``style``, ``image``, ``verdict``).

    Beside it stand the post, the mentions that a rewrite must keep (a JSON list), and how the model stopped.
    """
    style, verdict = row.kind is Kind.STYLE, row.kind is Kind.ENTITY
    end = _find_end(row)
    if row.kind is Kind.IMAGE and end == "stop" and is_broken_off(row.text):
        end = "length"
    return {
        "id": row.id,
        "kind": row.kind.value,
        "style": extract_rewrite(row) if style else None,
        "image": make_plain_line(row.text) if row.kind is Kind.IMAGE else None,
        "verdict": row.text.strip() if verdict else None,
        "post": post.text,
        "mentions": json.dumps([post.get_mention(entity) for entity in post.entities]) if style else None,
        # A yes is a whole answer, even if the limit cut the words behind it.
        "finish_reason": None if verdict and end == "length" else end,
    }


def build_extracted_cells(row: Answer, post: Post) -> Cells:
    """Build a row of ``extracted``: the answer, the post, and how the model stopped.

    A whole JSON object that the limit cut behind its last bracket is a whole answer.
    """
    end = _find_end(row)
    return {
        "id": row.id,
        "answer": row.text.strip(),
        "post": post.text,
        "finish_reason": None if end == "length" else end,
    }


def extract_knowledge_text(row: Answer) -> str:
    """Return an answer as one tidy line, cut at its last whole sentence if the model was stopped."""
    cut_off = _find_end(row) == "length" or is_broken_off(row.text)
    return make_plain_line(row.text, cut_off=cut_off)


def _find_end(row: Answer) -> str:
    """Return how the model stopped, in the words of the suites, whatever its server calls it.

    If a server gives no reason, an answer counts as whole if it ends like a sentence.
    """
    if row.source == "dataset" or row.finish_reason == "invalid":
        return row.finish_reason
    stop = classify_stop(row.finish_reason)
    if stop is Stop.UNKNOWN:
        stop = Stop.WHOLE if has_sentence_end(row.text) else Stop.CUT
    return _ENDS[stop]


_ENDS = {Stop.WHOLE: "stop", Stop.CUT: "length", Stop.WITHHELD: "content_filter", Stop.FAILED: "error"}


def extract_rewrite(row: Answer) -> str:
    """Return a rewritten post without the quotation marks that a model puts around it."""
    text = row.text.strip()
    is_quoted = len(text) > 1 and text[0] + text[-1] in ('""', "“”", "``")
    return text[1:-1].strip() if is_quoted else text


CELL_BUILDERS: dict[str, Callable[[Any, Post], Cells]] = {
    "answers": build_answer_cells,
    "captions": build_caption_cells,
    "augmented": build_augmented_cells,
    "extracted": build_extracted_cells,
}
