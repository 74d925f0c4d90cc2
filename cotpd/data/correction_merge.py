"""Several files of corrections as one, where they do not contradict one another."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cotpd.data.correction_file import Correction


class Conflict(NamedTuple):
    """Corrections of one post that differ."""

    corrections: tuple[Correction, ...]

    def describe(self) -> str:
        """Say where the corrections stand and who wrote them."""
        first = self.corrections[0]
        places = [f"{row.file}:{row.line}" + (f" ({row.by})" if row.by else "") for row in self.corrections]
        return f"post {first.id} in {first.split} is corrected in different ways: {', '.join(places)}"


class Merged(NamedTuple):
    """Corrections of several files, one a post, and the posts on which the files differ."""

    corrections: list[Correction]
    conflicts: list[Conflict]
    repeated: int


def merge_corrections(files: Iterable[Sequence[Correction]], prefer: str | None = None) -> Merged:
    """Merge the corrections of several files, in the order of their first rows.

    Args:
        files: The corrections of each file.
        prefer: first or last settles conflicts for the first or the last file; None reports them.
    """
    rows_by_post: dict[tuple[str, str], list[Correction]] = {}
    for corrections in files:
        for row in corrections:
            rows_by_post.setdefault(row.key, []).append(row)

    merged = Merged([], [], sum(len(rows) - 1 for rows in rows_by_post.values()))
    for rows in rows_by_post.values():
        agree = all(row.has_same_labels(rows[0]) for row in rows)
        if agree or prefer is not None:
            merged.corrections.append(rows[-1] if prefer == "last" else rows[0])
        else:
            merged.conflicts.append(Conflict(tuple(rows)))
    return merged
