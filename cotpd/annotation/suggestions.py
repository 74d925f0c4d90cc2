"""A model's predictions as annotation tools import them, so that a person accepts or mends them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from cotpd.annotation.annotated_posts import AnnotatedPost, read_prediction
from cotpd.annotation.argilla_records import build_record
from cotpd.annotation.doccano_lines import build_line
from cotpd.annotation.label_studio_tasks import build_task
from cotpd.annotation.prodigy_lines import build_example

ToolName = Literal["label-studio", "doccano", "prodigy", "argilla"]
_META = ("image", "caption")


class SuggestionFormat(NamedTuple):
    """The form in which a tool imports posts: the builder of one post, and whether the file is one list."""

    build: Callable[[AnnotatedPost], dict[str, Any]]
    is_list: bool


def find_suggestion_format(tool: ToolName, *, with_relations: bool) -> SuggestionFormat:
    """Return how a tool imports posts; all lines of doccano's have one shape, by whether there are relations."""
    formats = {
        "label-studio": SuggestionFormat(build_task, True),
        "argilla": SuggestionFormat(build_record, True),
        "prodigy": SuggestionFormat(build_example, False),
        "doccano": SuggestionFormat(partial(build_line, with_relations=with_relations), False),
    }
    return formats[tool]


def build_suggestion(
    row: Mapping[str, Any], prediction: Mapping[str, Any], model: str, name: str
) -> AnnotatedPost:
    """Return a post with its prediction as a suggestion.

    Args:
        row: The post as it was given; its id, image and caption come along, and the words if ``tokens`` has them.
        prediction: As `cotpd predict --json` has it, with head and tail as [start, end], all in characters.
        model: The model's name, which the tool shows.
        name: The id of a row that has none.
    """
    own_id = row.get("id")
    post_id = str(own_id) if isinstance(own_id, str | int) and str(own_id).strip() else name
    meta: dict[str, Any] = {key: row[key] for key in _META if isinstance(row.get(key), str)}
    if row.get("tokens"):
        meta["tokens"] = row["tokens"]
    return AnnotatedPost(post_id, row["text"], predicted=read_prediction(prediction), model=model, meta=meta)
