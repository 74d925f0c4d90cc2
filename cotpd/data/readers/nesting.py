"""Mentions that overlap: a post with them is refused, or the outermost or innermost of them are read."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from cotpd.data.readers.file_format import Source, refuse_overlaps
from cotpd.data.records import Entity, Relation


def resolve_nesting(entities: Sequence[Entity], source: Source, show: Callable[[Entity], str]) -> list[Entity]:
    """Return the mentions to read, in their order; mentions without a type may nest.

    Args:
        entities: All mentions of a post.
        source: Says by ``options.nested`` what is read, and counts what is not.
        show: Returns the text of a mention.

    Raises:
        RowError: Typed mentions overlap, and ``data.nested`` is refuse.
    """
    if source.options.nested == "refuse":
        refuse_overlaps(entities, show)
        return list(entities)
    chosen = _choose(entities, is_outermost=source.options.nested == "outermost")
    source.counts["nested_left_out"] += len(entities) - len(chosen)
    return chosen


def _choose(entities: Sequence[Entity], *, is_outermost: bool) -> list[Entity]:
    """Choose the longest or shortest mentions that do not overlap; of two of one length, the first."""
    sign = -1 if is_outermost else 1
    typed = [entity for entity in entities if entity.type]
    chosen: list[Entity] = []
    for entity in sorted(typed, key=lambda entity: (sign * (entity.end - entity.start), entity.start)):
        if all(entity.end <= earlier.start or earlier.end <= entity.start for earlier in chosen):
            chosen.append(entity)
    return [entity for entity in entities if entity.type is None or entity in chosen]


def rebuild_relations(
    relations: Iterable[Relation], before: Sequence[Entity], after: Sequence[Entity], source: Source
) -> tuple[Relation, ...]:
    """Return relations whose ends count the mentions that are read; one whose end is left out is counted.

    Args:
        relations: Their ends count ``before``.
        before: All mentions of the post.
        after: The mentions that are read.
        source: Counts.
    """
    if list(before) == list(after):
        return tuple(relations)
    numbers: Mapping[Entity, int] = {entity: number for number, entity in enumerate(after)}
    renumbered: dict[Relation, None] = {}
    for relation in relations:
        head, tail = numbers.get(before[relation.head]), numbers.get(before[relation.tail])
        if head is None or tail is None or head == tail:
            source.counts["relations_of_nested"] += 1
        else:
            renumbered[Relation(head=head, tail=tail, label=relation.label)] = None
    return tuple(renumbered)
