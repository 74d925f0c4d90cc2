"""The file of corrected labels: one post a line, with the labels that replace the data set's, who says so and why.

::

    {"id": "s197", "split": "valid", "text_sha256": "9f86...", "by": "mk", "reason": "Ruth is a person",
     "entities": [{"start": 17, "end": 21, "type": "PER"}]}

``entities``, ``relations`` and ``label`` are written as in the project's own format (jsonl); each that is there
replaces all of the post's, and one that is not there stays. Offsets count characters. ``text_sha256`` is the
digest of the post's text, so that a correction never lands on another text; a row written by hand may lack it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cotpd.data.label_format import compute_text_digest, format_labels
from cotpd.data.readers.file_format import Source, refuse_row
from cotpd.data.readers.key_names import refuse_unknown_keys
from cotpd.data.readers.text_files import read_numbered_lines
from cotpd.data.readers.values import RowError, parse_json, read_id, show_value
from cotpd.data.records import SPLITS, Post, Quarantined, Record
from cotpd.data.tables import write_table
from cotpd.errors import DataError

LABEL_KEYS = ("entities", "relations", "label")
KEYS = ("id", "split", "text_sha256", *LABEL_KEYS, "by", "reason")
_REMEDY = 'Write {"id": "17", "split": "test", "entities": [...], "by": "...", "reason": "..."}.'


class Correction(Record):
    """The labels of one post as somebody corrected them; ``file`` and ``line`` say where they stand."""

    id: str
    split: str
    text_sha256: str | None = None
    entities: list[Any] | None = None
    relations: list[Any] | None = None
    label: str | None = None
    by: str = ""
    reason: str = ""
    file: str = ""
    line: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """The post that is corrected."""
        return self.split, self.id

    def has_same_labels(self, correction: "Correction") -> bool:
        """Return whether another correction of the post says the same."""
        return all(getattr(self, key) == getattr(correction, key) for key in (*LABEL_KEYS, "text_sha256"))


def read_corrections(path: Path, name: str) -> tuple[list[Correction], list[Quarantined]]:
    """Read a file of corrections, and the rows of it that are none.

    Args:
        path: The file.
        name: Its name in messages.

    Raises:
        DataError: It is missing or not UTF-8.
    """
    if not path.is_file():
        raise DataError(
            f"{name}: there is no such file of corrections", "Mend data.corrections; . stands for none."
        )
    source = Source(path, name, "")
    corrections: list[Correction] = []
    refused: list[Quarantined] = []
    for number, line in read_numbered_lines(path, name):
        if not line.strip():
            continue
        try:
            corrections.append(_read_row(parse_json(line), name, number))
        except RowError as error:
            refused.append(refuse_row(source, number, line, error))
    return corrections, refused


def _read_row(row: Any, name: str, number: int) -> Correction:
    if not isinstance(row, dict):
        raise RowError("the line holds no object", _REMEDY)
    refuse_unknown_keys(row, KEYS, "a correction")
    if row.get("split") not in SPLITS:
        raise RowError(f"the split is {show_value(row.get('split'))}", f"Write one of {', '.join(SPLITS)}.")
    values = {key: row[key] for key in KEYS[2:] if row.get(key) is not None}
    if not any(key in values for key in LABEL_KEYS):
        raise RowError("it corrects nothing", f"Give one of {', '.join(LABEL_KEYS)}.")
    for key, value in values.items():
        kind, noun = (list, "a list") if key in ("entities", "relations") else (str, "a string")
        if not isinstance(value, kind):
            raise RowError(f"{key} is not {noun}", _REMEDY)
    return Correction(id=read_id(row.get("id")), split=row["split"], **values, file=name, line=number)


def write_corrections(path: Path, corrections: Iterable[Correction]) -> int:
    """Write corrections as JSON Lines, and return their number.

    Raises:
        StorageError: The disk is full.
    """
    return write_table(path, (row.model_copy(update={"file": "", "line": 0}) for row in corrections))


def build_correction(
    split: str, before: Post, after: Post, *, by: str = "", reason: str = ""
) -> Correction | None:
    """Return the correction that turns a post's labels into those of its corrected self; None for no change."""
    labels, corrected = format_labels(before), format_labels(after)
    changed = {key: value for key, value in corrected.items() if value != labels[key]}
    if "entities" in changed and corrected["relations"]:
        changed["relations"] = corrected["relations"]  # their ends are counted among the new entities
    if not changed:
        return None
    digest = compute_text_digest(after.text)
    return Correction(id=before.id, split=split, text_sha256=digest, by=by, reason=reason, **changed)
