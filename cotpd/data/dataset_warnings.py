"""Oddities of a data set that were kept, a sentence each: `cotpd data check` prints them as notes."""

from collections.abc import Iterable, Iterator
from typing import Any

from cotpd.data.picture_lookup import missing_line
from cotpd.data.readers.offsets import UNITS
from cotpd.data.split_checks import Splits, has_task_labels, unseen_in_train

Counts = dict[str, Any]


def list_oddities(posts: Splits, stats: Counts, unread: Iterable[str]) -> list[str]:
    """List what is odd but was kept.

    Args:
        posts: Posts by split.
        stats: The data set's counts.
        unread: Names of files that are not read though they speak of splits.
    """
    notes = [
        f"{pair.replace('/', ' and ')} share {count} texts; both are used as they are"
        for pair, count in stats["overlaps"].items()
    ]
    missing = missing_line(stats["pictures"])
    if missing:
        notes.append(missing)
    unseen = unseen_in_train(posts)
    if unseen:
        notes.append(f"train holds no {', '.join(unseen)}: these can never be predicted, and count as missed")
    if posts.get("train") and not any(has_task_labels(posts, task) for task in ("ner", "re")):
        notes.append("train holds no entity with a type and no relation: there is nothing to learn")
    notes += [f"{split}: not one of its rows can be used" for split, rows in posts.items() if not rows]
    for split, counts in stats["splits"].items():
        notes += [f"{split}: {note}" for note in _list_of_split(counts)]
    left = list(unread)
    return [*notes, f"not read: {', '.join(left)}"] if left else notes


def _list_of_split(counts: Counts) -> Iterator[str]:
    if counts["orphan_tags"]:
        yield f"{counts['orphan_tags']} entities open with I-; read as conlleval does"
    ignored = [name.split(":", 1)[1] for name in counts["noticed"] if name.startswith("ignored_key:")]
    if ignored:
        yield f"keys that are not read: {', '.join(ignored)}"
    types = counts["entities_by_type"]
    if "-" in types and len(types) > 1:
        yield f"{types['-']} entities have no type; NER does not learn them"
    for unit, name in UNITS.items():
        refused = counts["noticed"].get(f"fits_in:{unit}", 0)
        if refused:
            yield (
                f"{refused} rows were refused that fit if offsets count {name}; "
                f"rows that were read may be shifted too (data.offsets: {unit})"
            )
