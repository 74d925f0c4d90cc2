"""Warnings about a data set that is used as it is, a sentence each: `cotpd data check` prints them as notes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cotpd.counts import format_count
from cotpd.data.picture_lookup import describe_missing
from cotpd.data.readers.offsets import UNITS, Unit, count_units
from cotpd.data.records import Post, Splits
from cotpd.data.split_checks import has_annotation, list_twin_labels, list_unseen_labels
from cotpd.data.split_statistics import normalize_text

Counts = dict[str, Any]


def list_warnings(posts: Splits, stats: Counts, unread: Iterable[str]) -> list[str]:
    """List faults and oddities of a data set that cost no row.

    Args:
        posts: Posts by split.
        stats: The data set's counts.
        unread: Names of files that are not read although they are named after splits.
    """
    warnings = [
        f"{pair.replace('/', ' and ')} share {format_count(count, 'text')}; both are used as they are"
        for pair, count in stats["overlaps"].items()
    ]
    missing = describe_missing(stats["pictures"])
    if missing:
        warnings.append(missing)
    warnings += _list_label_warnings(posts)
    warnings += [f"{split}: not one of its rows can be used" for split, rows in posts.items() if not rows]
    corrected = stats.get("corrections", {}).get("by_split", {})
    warnings += [
        f"{split}: {format_count(count, 'post has', 'posts have')} corrected labels: its scores do"
        " not compare with those on the published ones"
        for split, count in corrected.items()
        if split != "train"
    ]
    for split, counts in stats["splits"].items():
        warnings += [f"{split}: {warning}" for warning in _list_split_warnings(counts)]
        rows = posts.get(split, [])
        warnings += [f"{split}: {warning}" for warning in _list_offset_warnings(counts, rows)]
        warnings += [f"{split}: {warning}" for warning in _list_contradictions(rows)]
    names = ", ".join(unread)
    return [*warnings, f"not read: {names}"] if names else warnings


def _list_label_warnings(posts: Splits) -> Iterator[str]:
    unseen = list_unseen_labels(posts)
    if unseen:
        yield f"train holds no {', '.join(unseen)}: these can never be predicted, and count as missed"
    for names in list_twin_labels(posts):
        spelt = " and ".join(map(repr, names))
        learnt = f"learnt as {len(names)} labels: spell them alike"
        yield f"{spelt} differ in letter case or blanks alone, and are {learnt}"
    if posts.get("train") and not has_annotation(posts["train"]):
        yield "train holds no entity with a type, no relation and no label: there is nothing to learn"


_NOTES = {
    "trimmed_marks": ("mention was", "mentions were", "marked with blanks at an end; the blanks are left out"),
    "nested_left_out": (
        "mention overlaps others and is",
        "mentions overlap others and are",
        "left out (data.nested)",
    ),
    "relations_of_nested": ("relation of such mentions is", "relations of such mentions are", "left out, too"),
    "several_annotators": (
        "post has",
        "posts have",
        "several annotators; one reading of each is taken (data.annotators)",
    ),
    "not_agreed": ("mention was", "mentions were", "not marked by all annotators and left out"),
    "relations_not_agreed": ("relation was", "relations were", "not marked by all annotators and left out"),
    "labels_not_agreed": (
        "post loses its label:",
        "posts lose their label:",
        "the annotators chose different ones",
    ),
    "answer:reject": ("rejected row is", "rejected rows are", "left out"),
    "answer:ignore": ("ignored row is", "ignored rows are", "left out"),
    "brat:R": ("relation of events is", "relations of events are", "not read"),
    "blank_words": ("line was left out:", "lines were left out:", "the word is a blank"),
    "brat:A": ("attribute is", "attributes are", "not read"),
    "brat:E": ("event is", "events are", "not read"),
    "brat:N": ("normalization is", "normalizations are", "not read"),
    "brat:#": ("note is", "notes are", "not read"),
}


def list_reader_notes(noticed: Counts) -> Iterator[str]:
    """Yield what a reader saw and did not refuse: schemes of tags, what was left out, columns."""
    for name, count in noticed.items():
        kind, _, value = name.partition(":")
        if kind == "tag_scheme":
            yield f"tags are in the scheme {value}"
        elif kind == "tag_columns":
            yield f"column {value} (data.tag_column)"
        elif name in _NOTES:
            singular, plural, fact = _NOTES[name]
            yield f"{format_count(count, singular, plural)} {fact}"


def _list_split_warnings(counts: Counts) -> Iterator[str]:
    """Yield the warnings about one split, from its counts."""
    yield from list_reader_notes(counts["noticed"])
    if counts["orphan_tags"]:
        entities = format_count(counts["orphan_tags"], "entity opens", "entities open")
        yield f"{entities} with I-; read as conlleval does"
    ignored = [name.split(":", 1)[1] for name in counts["noticed"] if name.startswith("ignored_key:")]
    if ignored:
        yield f"keys that are not read: {', '.join(ignored)}"
    unlabelled = counts["posts"] - sum(counts["posts_by_label"].values())
    if counts["posts_by_label"] and unlabelled:
        posts = format_count(unlabelled, "post has", "posts have")
        yield f"{posts} no label; a task that labels posts sets such posts aside"
    types = counts["entities_by_type"]
    if "-" in types and len(types) > 1:
        yield f"{format_count(types['-'], 'entity has', 'entities have')} no type, which NER does not learn"


def _list_offset_warnings(counts: Counts, posts: Sequence[Post]) -> Iterator[str]:
    """Yield a warning for each other way of counting in which refused rows fit."""
    otherwise = {name: count for name, count in counts["noticed"].items() if name.startswith("fits_if:")}
    for name, count in otherwise.items():
        rows = format_count(count, "row was", "rows were")
        yield f"{rows} refused with the question: {name.removeprefix('fits_if:')}? Others may be off likewise"
    if otherwise:
        return  # behind one emoji, offsets from 1 look like UTF-16: that is no evidence for another unit
    for unit, name in UNITS.items():
        refused = counts["noticed"].get(f"fits_in:{unit}", 0)
        if not refused:
            continue
        fitting = f"{format_count(refused, 'refused row fits', 'refused rows fit')} if offsets count {name}; "
        denying = sum(_is_counted_otherwise(unit, post) for post in posts)
        if denying > refused:
            shifted_rows = format_count(denying, "row was", "rows were")
            yield f"{fitting}{shifted_rows} read where that differs, so mend those that were refused"
        else:
            yield f"{fitting}rows that were read may be shifted too (data.offsets: {unit})"


def _list_contradictions(posts: Sequence[Post]) -> Iterator[str]:
    """Yield a warning if texts occur several times, annotated in different ways, as by several annotators."""
    first_marks: dict[int, int] = {}
    contradictory: dict[int, Post] = {}
    for post in posts:
        text, marks = hash(normalize_text(post)), hash((post.entities, post.relations, post.label))
        if first_marks.setdefault(text, marks) != marks:
            contradictory.setdefault(text, post)
    if contradictory:
        first = next(iter(contradictory.values()))
        texts = format_count(len(contradictory), "text occurs", "texts occur")
        yield (
            f"{texts} several times, annotated differently; the first again in "
            f"{first.file}:{first.line}. Of several annotators keep one"
        )


def _is_counted_otherwise(unit: Unit, post: Post) -> bool:
    """Whether a post has a mention behind a character that counts as several in a unit."""
    last = max((entity.start for entity in post.entities), default=0)
    before = post.text[: post.offsets[last][0]]
    return count_units(before, unit) != len(before)
