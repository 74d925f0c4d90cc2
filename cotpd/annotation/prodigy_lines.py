"""Lines for Prodigy: text, tokens, spans and relations; gold is accepted, suggestions wait for an answer.

A span's offsets of tokens are those of the tokens in the line, which Prodigy needs to show a relation.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cotpd.annotation.annotated_posts import AnnotatedPost, Annotation, Link, Mark
from cotpd.annotation.json_lines import write_lines
from cotpd.data.readers.jsonl import read_text
from cotpd.data.tokenization import Token


def write_prodigy(posts: Iterable[AnnotatedPost], path: Path) -> int:
    """Write posts as JSON Lines, and return their number.

    Raises:
        StorageError: The disk is full.
    """
    return write_lines(map(build_example, posts), path)


def build_example(post: AnnotatedPost) -> dict[str, Any]:
    """Build the line of a post; what a person marked goes before what a model suggests."""
    annotation = post.gold or post.predicted or Annotation()
    meta = {"id": post.id, **{name: value for name, value in post.meta.items() if name != "tokens"}}
    if post.gold is None and post.predicted is not None and post.predicted.score is not None:
        meta |= {"score": post.predicted.score, "model": post.model}
    tokens = read_text({"text": post.text, "tokens": post.meta.get("tokens")}).tokens if post.text.strip() else []
    spans = [_build_span(mark, tokens) for mark in annotation.marks]
    line: dict[str, Any] = {
        "text": post.text,
        "meta": meta,
        "tokens": [_build_token(post.text, token, number) for number, token in enumerate(tokens)],
        "spans": spans,
    }
    if annotation.links:
        line["relations"] = [_build_relation(spans, link) for link in annotation.links]
    if annotation.label is not None:
        line["label"] = annotation.label
    return line | ({"answer": "accept"} if post.gold is not None else {})


def _build_token(text: str, token: Token, number: int) -> dict[str, Any]:
    blank = text[token.end : token.end + 1].isspace()
    return {"text": token.text, "start": token.start, "end": token.end, "id": number, "ws": blank}


def _build_span(mark: Mark, tokens: list[Token]) -> dict[str, Any]:
    covered = [number for number, token in enumerate(tokens) if token.start < mark.end and token.end > mark.start]
    token_range = {"token_start": covered[0], "token_end": covered[-1]} if covered else {}
    score = {} if mark.score is None else {"score": mark.score}
    return {"start": mark.start, "end": mark.end, **token_range, "label": mark.type, **score}


def _build_relation(spans: list[dict[str, Any]], link: Link) -> dict[str, Any]:
    head, tail = spans[link.head], spans[link.tail]
    ends = {"head": head.get("token_end"), "child": tail.get("token_end"), "head_span": head, "child_span": tail}
    return {**ends, "label": link.label} | ({} if link.score is None else {"score": link.score})
