"""Several annotations of one post: the first, the latest, or what all annotators marked alike."""

from collections.abc import Sequence

from cotpd.data.readers.file_format import Source
from cotpd.data.readers.raw_posts import RawAnnotation, RawMention


def choose_annotation(
    annotations: Sequence[RawAnnotation], stamps: Sequence[str], source: Source
) -> RawAnnotation:
    """Choose the annotation that ``data.annotators`` asks for; posts with several are counted.

    Args:
        annotations: At least one, in the order of the file.
        stamps: When each was made, as text that sorts by time; where one is empty, the order of the file counts.
        source: Has the options and the counts.
    """
    if len(annotations) == 1:
        return annotations[0]
    source.counts["several_annotators"] += 1
    order = sorted(range(len(annotations)), key=lambda number: stamps[number]) if all(stamps) else None
    numbers = order or list(range(len(annotations)))
    if source.options.annotators == "latest":
        return annotations[numbers[-1]]
    if source.options.annotators == "first":
        return annotations[numbers[0]]
    return _find_agreed([annotations[number] for number in numbers], source)


def _find_agreed(annotations: Sequence[RawAnnotation], source: Source) -> RawAnnotation:
    """Return the mentions and relations of the first annotation that all others have, too."""
    mentions, relations, label = annotations[0]
    marked = [set(map(_describe_mark, annotation.mentions)) for annotation in annotations]
    marked_by_all = set.intersection(*marked)
    agreed = [mention for mention in mentions if _describe_mark(mention) in marked_by_all]
    linked = [set(_list_links(annotation)) for annotation in annotations]
    linked_by_all = set.intersection(*linked)
    links = zip(relations, _list_links(annotations[0]), strict=True)
    joined = [relation for relation, link in links if link in linked_by_all]
    source.counts["not_agreed"] += len(set().union(*marked)) - len(marked_by_all)
    source.counts["relations_not_agreed"] += len(set().union(*linked)) - len(linked_by_all)
    is_agreed = all(annotation.label == label for annotation in annotations)
    source.counts["labels_not_agreed"] += not is_agreed
    return RawAnnotation(agreed, joined, label if is_agreed else None)


def _describe_mark(mention: RawMention) -> tuple[str, str, str]:
    """Return what tells a mark from others, as text: values that are not checked yet may be lists or objects."""
    return repr(mention.start), repr(mention.end), repr(mention.type)


def _list_links(annotation: RawAnnotation) -> list[tuple[object, ...]]:
    """Return the relations of an annotation by what they join: annotators give the same mention different ids."""
    keys = {repr(mention.key): _describe_mark(mention) for mention in annotation.mentions}
    return [
        (keys.get(repr(link.head)), keys.get(repr(link.tail)), repr(link.label)) for link in annotation.relations
    ]
