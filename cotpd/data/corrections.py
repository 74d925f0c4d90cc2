"""Corrected labels laid over those of a data set: each is checked against its post, or refused.

Trade-off: a correction replaces labels and nothing else. It moves no post, changes no text and adds no type, so
that the questions asked about a post, and what was paid for the answers, stay as they were.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cotpd.data.correction_file import Correction, read_corrections
from cotpd.data.label_format import compute_text_digest, format_labels, map_posts
from cotpd.data.readers.file_format import STEP, Source, refuse_overlaps
from cotpd.data.readers.jsonl import TokenizedText, read_entity, read_relations
from cotpd.data.readers.values import RowError
from cotpd.data.records import Entity, Post, Quarantined, Splits, replace_entities
from cotpd.data.split_checks import Inventory
from cotpd.data.tokenization import Token


@dataclass
class Corrections:
    """Posts with corrected labels, and what became of each row of the file.

    Attributes:
        posts: All posts by split, those with corrected labels among them.
        file: The file's name in messages.
        originals: The corrected posts as the data set labels them, by split and id.
        left_out: How many relations such a post lost, because a mention of theirs was taken out.
        refused: Rows that do not fit.
    """

    posts: Splits
    file: str = ""
    originals: dict[tuple[str, str], Post] = field(default_factory=dict)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: list[Quarantined] = field(default_factory=list)

    def list_originals(self, posts: Splits) -> Splits:
        """Return those of the posts that are corrected as the data set labels them; only splits that have any."""
        originals: Splits = {}
        for split, rows in posts.items():
            keys = [(split, post.id) for post in rows if (split, post.id) in self.originals]
            if keys:
                originals[split] = [self.originals[key] for key in keys]
        return originals

    def count(self, posts: Splits) -> dict[str, Any]:
        """Count those of the posts that are corrected, below "corrections"; nothing where no file is named."""
        if not self.file:
            return {}
        by_split, relations = {}, 0
        for split, rows in self.list_originals(posts).items():
            by_split[split] = len(rows)
            relations += sum(self.left_out[split, post.id] for post in rows)
        counts = {
            "file": self.file,
            "posts": sum(by_split.values()),
            "by_split": by_split,
            "refused": len(self.refused),
            "relations_left_out": relations,
        }
        return {"corrections": counts}


def load_corrections(path: Path, name: str, posts: Splits, inventory: Inventory) -> Corrections:
    """Read a file of corrections, check each against the post that it names, and lay it over the post.

    Args:
        path: The file.
        name: Its name in messages.
        posts: Posts by split, as the data set labels them.
        inventory: The types and labels that there are.

    Raises:
        DataError: The file is missing or not UTF-8.
    """
    rows, refused = read_corrections(path, name)
    corrections = Corrections(posts, name, refused=refused)
    post_by_key = map_posts(posts)
    rows_by_key: dict[tuple[str, str], list[Correction]] = {}
    for row in rows:
        rows_by_key.setdefault(row.key, []).append(row)

    corrected: dict[tuple[str, str], Post] = {}
    for row in rows:
        try:
            _refuse_repeated(row, rows_by_key[row.key])
            post = _find_post(row, post_by_key)
            corrected[row.key] = mend_post(post, row, inventory)
        except RowError as error:
            corrections.refused.append(_refuse(row, error))
            continue
        corrections.originals[row.key] = post
        if row.relations is None:
            corrections.left_out[row.key] = len(post.relations) - len(corrected[row.key].relations)
    corrections.posts = _replace_posts(posts, corrected)
    return corrections


def _replace_posts(posts: Splits, corrected: Mapping[tuple[str, str], Post]) -> Splits:
    replaced: Splits = {}
    for split, rows in posts.items():
        replaced[split] = [corrected.get((split, post.id), post) for post in rows]
    return replaced


def mend_post(post: Post, correction: Correction, inventory: Inventory) -> Post:
    """Return a post with corrected labels.

    Raises:
        RowError: The text has changed, a mention is not in it, a type or label is unknown, or nothing changes.
    """
    digest = compute_text_digest(post.text)
    if correction.text_sha256 is not None and correction.text_sha256.lower() != digest:
        raise RowError(
            "the text of the post is another than the one that was corrected",
            f"Look at the post again; its text_sha256 is now {digest}.",
        )
    corrected = post
    if correction.entities is not None:
        corrected = _replace_mentions(post, correction, inventory)
    if correction.relations is not None:
        relations = read_relations(correction.relations, len(corrected.entities))
        _refuse_unknown("label", {relation.label for relation in relations}, inventory.labels)
        corrected = corrected.model_copy(update={"relations": relations})
    if correction.label is not None:
        _refuse_unknown("label of a post", {correction.label}, inventory.classes)
        corrected = corrected.model_copy(update={"label": correction.label})
    if format_labels(corrected) == format_labels(post):
        raise RowError("the data set's labels are the corrected ones already", "Remove the row.")
    return corrected


def _replace_mentions(post: Post, correction: Correction, inventory: Inventory) -> Post:
    """Return a post with corrected mentions; relations count them in the row's order, or follow them."""
    tokens = [Token(token, *span) for token, span in zip(post.tokens, post.offsets, strict=True)]
    tokenized = TokenizedText(post.text, tokens, has_own_tokens=False)
    source = Source(Path(correction.file), correction.file, correction.split)
    entities = [read_entity(row, tokenized, source) for row in correction.entities or ()]
    refuse_overlaps(entities, tokenized.show)
    _refuse_untyped(post, entities)
    _refuse_unknown("type", {entity.type for entity in entities if entity.type}, inventory.types)
    if correction.relations is not None:
        return post.model_copy(update={"entities": tuple(entities), "relations": ()})
    return replace_entities(post, entities)


def _refuse_untyped(post: Post, entities: Sequence[Entity]) -> None:
    """Refuse a mention without a type in a post whose mentions all have one."""
    is_typed = all(entity.type for entity in post.entities)
    if is_typed and not all(entity.type for entity in entities):
        raise RowError("an entity has no type", 'Write {"start": 0, "end": 3, "type": "PER"}.')


def _refuse_unknown(noun: str, names: set[str], inventory: Sequence[str]) -> None:
    """Refuse a name outside the inventory: no model was built for it."""
    unknown = sorted(names - set(inventory))
    if unknown:
        remedy = f"The data set has {', '.join(inventory) or 'none'}; data.types may add to them."
        raise RowError(f"there is no {noun} {unknown[0]!r}", remedy)


def _refuse_repeated(row: Correction, rows: Sequence[Correction]) -> None:
    """Refuse a second row about a post, and each of several rows that contradict one another."""
    first = rows[0]
    if not all(row.has_same_labels(first) for row in rows):
        lines = ", ".join(str(row.line) for row in rows)
        raise RowError(
            f"the lines {lines} correct the post in different ways", "Decide between them, and keep one."
        )
    if row is not first:
        raise RowError(f"line {first.line} says the same", "Remove one of the two.")


def _find_post(row: Correction, post_by_key: dict[tuple[str, str], Post]) -> Post:
    if row.key in post_by_key:
        return post_by_key[row.key]
    split = next((split for split, post_id in post_by_key if post_id == row.id), None)
    if split is not None:
        raise RowError(f"the post {row.id!r} stands in {split}, not in {row.split}", f'Write "split": "{split}".')
    raise RowError(
        f"there is no post {row.id!r} in {row.split}",
        "It was removed, renamed or set aside: remove the row, or mend its id.",
    )


def _refuse(row: Correction, error: RowError) -> Quarantined:
    shown = row.model_dump(exclude={"file", "line"}, exclude_defaults=True)
    return Quarantined(
        id=row.id,
        step=STEP,
        reason=f"correction of post {row.id!r} refused: {error.reason}",
        remedy=error.remedy,
        file=row.file,
        line=row.line,
        row=shown,
    )
