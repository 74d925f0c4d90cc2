"""The tables that the suites look at: one typed builder a suite, which puts a row beside the post it belongs to.

A cell that does not apply to a row is None; expectations pass over it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cotpd.completions import Stop, classify_stop, has_sentence_end, is_broken_off
from cotpd.data.records import Answer, Caption, Kind, Post
from cotpd.expectations.wording import tidy

Cells = Mapping[str, str | None]


def answer_cells(row: Answer, post: Post) -> Cells:
    """answers: the text, what will be used of it, the post, and how the model stopped."""
    return {
        "id": row.id,
        "kind": row.kind.value,
        "text": row.text.strip(),
        "knowledge": knowledge_text(row),
        "post": post.text,
        "finish_reason": _judge_end(row),
    }


def caption_cells(row: Caption, post: Post) -> Cells:
    """captions: the caption and the post."""
    return {"id": row.id, "backend": row.backend, "caption": row.caption, "post": post.text}


def augmented_cells(row: Answer, post: Post) -> Cells:
    """augmented: ``style``, ``image`` or ``verdict``, whichever the answer is; the post, what a rewrite keeps."""
    style, verdict = row.kind is Kind.STYLE, row.kind is Kind.ENTITY
    end = _judge_end(row)
    if row.kind is Kind.IMAGE and end == "stop" and is_broken_off(row.text):
        end = "length"
    return {
        "id": row.id,
        "kind": row.kind.value,
        "style": rewrite_text(row) if style else None,
        "image": tidy(row.text) if row.kind is Kind.IMAGE else None,
        "verdict": row.text.strip() if verdict else None,
        "post": post.text,
        "mentions": json.dumps([post.get_mention(entity) for entity in post.entities]) if style else None,
        # a yes is whole, whatever would have followed it
        "finish_reason": None if verdict and end == "length" else end,
    }


def knowledge_text(row: Answer) -> str:
    """What is used of an answer: one tidy line, cut at its last whole sentence if the model was stopped."""
    return tidy(row.text, cut_off=_judge_end(row) == "length" or is_broken_off(row.text))


def _judge_end(row: Answer) -> str:
    """How the model stopped, in the words of the suites, whatever its server calls it.

    Where a server does not say, an answer is whole that ends like a sentence.
    """
    if row.source == "dataset" or row.finish_reason == "invalid":
        return row.finish_reason
    stop = classify_stop(row.finish_reason)
    if stop is Stop.UNKNOWN:
        stop = Stop.WHOLE if has_sentence_end(row.text) else Stop.CUT
    return _ENDS[stop]


_ENDS = {Stop.WHOLE: "stop", Stop.CUT: "length", Stop.WITHHELD: "content_filter", Stop.FAILED: "error"}


def rewrite_text(row: Answer) -> str:
    """A rewritten post as the model meant it: without the quotation marks around it."""
    text = row.text.strip()
    quoted = len(text) > 1 and text[0] + text[-1] in ('""', "“”", "``")
    return text[1:-1].strip() if quoted else text


Builder = Callable[[Any, Post], Cells]
FRAMES: dict[str, Builder] = {
    "answers": answer_cells,
    "captions": caption_cells,
    "augmented": augmented_cells,
}
