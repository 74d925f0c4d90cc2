"""Tasks for Label Studio: gold as `annotations`, a model's suggestions as `predictions` with scores.

Label Studio counts characters (code points), as this project does. Its names of controls are those of
:data:`LABELING_CONFIG`, which a project needs for the import; a project of one's own may rename them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cotpd.annotation.annotated_posts import AnnotatedPost, Annotation, Link, Mark
from cotpd.annotation.json_lines import write_list

SPANS, TEXT, CLASS = "label", "text", "class"  # names of the controls and of the text that they mark
LABELING_CONFIG = """\
<View>
  <Relations>{relations}</Relations>
  <Labels name="label" toName="text">{types}</Labels>
  <Text name="text" value="$text"/>
  <Choices name="class" toName="text">{choices}</Choices>
</View>
"""


def write_label_studio(posts: Iterable[AnnotatedPost], path: Path) -> int:
    """Write posts as a JSON list of tasks, which Label Studio imports, and return their number.

    Raises:
        StorageError: The disk is full.
    """
    return write_list(map(build_task, posts), path)


def build_task(post: AnnotatedPost) -> dict[str, Any]:
    """Build the task of a post; its id stands in `data`, as Label Studio numbers tasks itself."""
    task: dict[str, Any] = {"data": {"id": post.id, "text": post.text, **post.meta}}
    if post.gold is not None:
        task["annotations"] = [{"result": build_result(post.text, post.gold)}]
    if post.predicted is not None:
        prediction = {"model_version": post.model, "result": build_result(post.text, post.predicted)}
        score = post.predicted.score
        task["predictions"] = [prediction if score is None else prediction | {"score": score}]
    return task


def build_result(text: str, annotation: Annotation) -> list[dict[str, Any]]:
    """Build the regions, relations and choice of one annotation."""
    regions = [_build_region(text, mark, number) for number, mark in enumerate(annotation.marks)]
    relations = [_build_relation(link) for link in annotation.links]
    return [*regions, *relations, *_build_choice(annotation)]


def _build_region(text: str, mark: Mark, number: int) -> dict[str, Any]:
    value = {"start": mark.start, "end": mark.end, "text": text[mark.start : mark.end], "labels": [mark.type]}
    region = {"id": f"m{number}", "from_name": SPANS, "to_name": TEXT, "type": "labels", "value": value}
    return _add_score(region, mark.score)


def _build_relation(link: Link) -> dict[str, Any]:
    ends = {"from_id": f"m{link.head}", "to_id": f"m{link.tail}"}
    return _add_score({"type": "relation", "direction": "right", **ends, "labels": [link.label]}, link.score)


def _build_choice(annotation: Annotation) -> list[dict[str, Any]]:
    """Build the choice for the whole post, if it has a label."""
    if annotation.label is None:
        return []
    value = {"choices": [annotation.label]}
    choice = {"id": "class", "from_name": CLASS, "to_name": TEXT, "type": "choices", "value": value}
    return [_add_score(choice, annotation.label_score)]


def _add_score(item: dict[str, Any], score: float | None) -> dict[str, Any]:
    return item if score is None else item | {"score": score}
