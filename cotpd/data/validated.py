"""What passed its checks, by post id: captions and knowledge, as the validate step wrote them."""

from pathlib import Path

from cotpd.data.records import KNOWLEDGE_KINDS, Caption, Kind, Knowledge
from cotpd.data.tables import read_table


def read_captions(folder: Path) -> dict[str, str]:
    """Captions by post id.

    Raises:
        DataError: There is no such table, or a row of it is damaged.
    """
    rows = read_table(folder / "captions.jsonl", Caption)
    return {row.id: row.caption for row in rows if row.caption}


def read_knowledge(folder: Path) -> dict[str, dict[Kind, str]]:
    """Knowledge by post id and kind, in the order of the kinds.

    Raises:
        DataError: There is no such table, or a row of it is damaged.
    """
    rows = read_table(folder / "knowledge.jsonl", Knowledge)
    by_post: dict[str, dict[Kind, str]] = {}
    for row in sorted(rows, key=lambda row: KNOWLEDGE_KINDS.index(row.kind)):
        by_post.setdefault(row.id, {})[row.kind] = row.text
    return by_post
