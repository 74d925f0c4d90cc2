"""Rows of annotation tools, for the tests of their faults."""

from typing import Any

TEXT = "Ada 👋 visits London again"


def build_doccano(number: int, **changes: Any) -> dict[str, Any]:
    text = f"Ada visits London {number}"
    return {"id": number, "text": text, "label": [[0, 3, "PER"], [11, 17, "LOC"]], **changes}


def build_task(*results: list[dict[str, Any]], text: str = TEXT, **changes: Any) -> dict[str, Any]:
    annotations = [
        {"id": number, "result": result, "created_at": f"2026-01-0{9 - number}"}
        for number, result in enumerate(results)
    ]
    return {"id": 1, "data": {"text": text}, "annotations": annotations, **changes}


def mark(start: int, end: int, label: str, text: str | None = None) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label]} | ({"text": text} if text else {})
    return {"id": f"{start}{label}", "type": "labels", "value": value}


def list_mentions(dataset) -> list[list[tuple[str, str | None]]]:
    return [list_marks(post) for post in dataset.posts["train"]]


def list_marks(post) -> list[tuple[str, str | None]]:
    return [(post.get_mention(entity), entity.type) for entity in post.entities]
