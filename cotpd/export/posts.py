"""The posts that an export is made and judged with: held-out ones, and others to choose and to calibrate by."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cotpd.data.records import Record
from cotpd.errors import DataError
from cotpd.student.examples import Example

_CALIBRATING = 256  # posts, evenly spaced among those there are
_REMEDY = "Run it in the project's folder after dvc repro prepare, or name posts with --posts."


class Posts(NamedTuple):
    """Examples by what they are for.

    Attributes:
        heldout: What the verdicts rest on.
        choosing: What decides which products stay in float: not the held-out posts, if there are others.
        calibrating: What fixes the ranges of int8.
        has_gold: Whether the posts are labelled.
        origin: Their sources, number and digest, as the record holds them.
    """

    heldout: Sequence[Example]
    choosing: Sequence[Example]
    calibrating: Sequence[Example]
    has_gold: bool
    origin: dict[str, str]


def gather_labelled(splits: Mapping[str, Sequence[Example]]) -> Posts:
    """Return the posts of a data set: test judges, valid chooses, train calibrates; an empty split is replaced.

    Args:
        splits: The examples of each split by name.

    Raises:
        DataError: Neither test nor valid has examples.
    """
    names = [name for name in ("test", "valid", "train") if splits.get(name)]
    if not names or names[0] == "train":
        raise DataError("there are no held-out posts to compare an export with torch on", _REMEDY)
    heldout = splits[names[0]]
    choosing, calibrating = splits[names[min(1, len(names) - 1)]], splits[names[-1]]
    return _build(heldout, choosing, calibrating, has_gold=True, source=names[0])


def gather_texts(examples: Sequence[Example], source: str) -> Posts:
    """Return posts without labels: every second one judges, the others choose and calibrate.

    Raises:
        DataError: There are none.
    """
    if not examples:
        raise DataError(f"{source}: there are no posts to compare an export with torch on", _REMEDY)
    choosing = examples[1::2] or examples
    return _build(examples[::2], choosing, choosing, has_gold=False, source=source)


def _build(
    heldout: Sequence[Example],
    choosing: Sequence[Example],
    calibrating: Sequence[Example],
    *,
    has_gold: bool,
    source: str,
) -> Posts:
    step = max(1, len(calibrating) // _CALIBRATING)
    origin = {"source": source, "count": str(len(heldout)), "sha256": _digest(heldout)}
    return Posts(heldout, choosing, calibrating[::step][:_CALIBRATING], has_gold, origin)


def _digest(examples: Sequence[Record]) -> str:
    """Return the sha256 of examples, labels included."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(example.model_dump_json().encode() + b"\n")
    return digest.hexdigest()
