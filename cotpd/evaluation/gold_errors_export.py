"""Suspected gold errors for an annotation tool: a task a post, gold as annotation, suggestion as prediction.

Of a post only the labels that its suspects are about are written: a tool that shows relations to whoever corrects
mentions would ask for more than is looked for, and what comes back could not be told from a correction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from cotpd.annotation.annotated_posts import AnnotatedPost, Annotation, Mark, get_gold
from cotpd.annotation.argilla_records import write_argilla
from cotpd.annotation.label_studio_tasks import write_label_studio
from cotpd.data.label_format import map_posts
from cotpd.data.records import Post
from cotpd.evaluation.gold_errors import Suspect, name_label_key

WRITERS: dict[str, Callable[[Iterable[AnnotatedPost], Path], int]] = {
    "label-studio": write_label_studio,
    "argilla": write_argilla,
}
"""Tool to the function that writes its file."""
MODEL = "cotpd-suspects"


def build_annotated_posts(suspects: Sequence[Suspect], posts: Mapping[str, Sequence[Post]]) -> list[AnnotatedPost]:
    """Return the posts of suspects, each once with all of its suggestions, in the order of the suspects.

    Args:
        suspects: All of one task.
        posts: By split; those of the suspects are among them.
    """
    post_by_key = map_posts(posts)
    suspects_by_post: dict[tuple[str, str], list[Suspect]] = {}
    for suspect in suspects:
        suspects_by_post.setdefault((suspect.split, suspect.id), []).append(suspect)
    return [_build_annotated_post(post_by_key[key], rows) for key, rows in suspects_by_post.items()]


def _build_annotated_post(post: Post, suspects: Sequence[Suspect]) -> AnnotatedPost:
    gold = get_gold(post)
    key = name_label_key(suspects[0])
    if key == "entities":
        gold, predicted = Annotation(gold.marks), Annotation(_replace_marks(gold, suspects))
    elif key == "relations":
        predicted = _replace_links(gold, suspects)
    else:
        gold = Annotation(label=suspects[0].gold[0])
        predicted = Annotation(label=suspects[0].suggested[0], label_score=suspects[0].score)
    meta = {
        "split": suspects[0].split,
        "rank": suspects[0].rank,
        "suspicion": suspects[0].score,
        "reason": "; ".join(suspect.reason for suspect in suspects),
    }
    return AnnotatedPost(post.id, post.text, gold, predicted, MODEL, meta)


def _replace_marks(gold: Annotation, suspects: Sequence[Suspect]) -> tuple[Mark, ...]:
    """Return the gold mentions with every suggestion applied, the suggested ones with its score."""
    marks = list(gold.marks)
    for suspect in suspects:
        removed = {(label["start"], label["end"], label["type"]) for label in suspect.removed}
        marks = [mark for mark in marks if (mark.start, mark.end, mark.type) not in removed]
        marks += [Mark(label["start"], label["end"], label["type"], suspect.score) for label in suspect.added]
    return tuple(sorted(marks, key=lambda mark: mark.start))


def _replace_links(gold: Annotation, suspects: Sequence[Suspect]) -> Annotation:
    """Return the gold with other labels for the relations that the suspects are about."""
    links = list(gold.links)
    for suspect in suspects:
        number = int(suspect.example.rpartition("#")[2])
        links[number] = links[number]._replace(label=suspect.suggested[0], score=suspect.score)
    return Annotation(gold.marks, tuple(links))
