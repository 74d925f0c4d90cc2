"""Captions and knowledge that passed their checks, by post id, from the tables of the validate step."""

from pathlib import Path

from cotpd.data.records import KNOWLEDGE_KINDS, Caption, Kind, Knowledge
from cotpd.data.tables import read_table


def read_captions(folder: Path) -> dict[str, str]:
    """Read the captions by post id; posts without a caption are left out.

    Raises:
        DataError: The table is missing, or a row of it is damaged.
    """
    rows = read_table(folder / "captions.jsonl", Caption)
    return {row.id: row.caption for row in rows if row.caption}


def read_knowledge(folder: Path) -> dict[str, dict[Kind, str]]:
    """Read the knowledge by post id and kind, in the order of KNOWLEDGE_KINDS.

    Raises:
        DataError: The table is missing, or a row of it is damaged.
    """
    rows = read_table(folder / "knowledge.jsonl", Knowledge)
    by_post: dict[str, dict[Kind, str]] = {}
    for row in sorted(rows, key=lambda row: KNOWLEDGE_KINDS.index(row.kind)):
        by_post.setdefault(row.id, {})[row.kind] = row.text
    return by_post
