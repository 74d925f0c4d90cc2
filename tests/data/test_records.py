"""Records check themselves: a post whose parts contradict each other cannot be built."""

from typing import Any

import pytest
from pydantic import ValidationError

from cotpd.data.records import Entity, Post, Relation
from tests.builders import build_post

POST = build_post("[Ada](PER) waves").model_dump()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tokens": (), "offsets": ()}, "the post has no tokens"),
        ({"offsets": ((0, 3),)}, "2 tokens but 1 offset "),
        ({"offsets": ((0, 3), (3, 8))}, "token 'waves' does not stand at 3:8 of the text"),
        ({"entities": [{"start": 1, "end": 3}]}, "entity ends at token 3 of 2"),
        ({"entities": [{"start": 1, "end": 1}]}, "entity ends at token 1, not after its start 1"),
        ({"relations": [{"head": 0, "tail": 1, "label": "x"}]}, "names an entity that the post does not have"),
        ({"relations": [{"head": -1, "tail": 0, "label": "x"}]}, "greater than or equal to 0"),
        ({"likes": 3}, "likes"),
    ],
)
def test_a_post_that_contradicts_itself_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Post.model_validate(POST | changes)


def test_a_mention_is_the_text_between_its_first_and_last_token() -> None:
    post = build_post("so,  [Grace  Hopper](PER)!")

    mention = post.get_mention(post.entities[0])

    assert mention == "Grace  Hopper"


def test_records_do_not_change_after_they_were_built() -> None:
    entity = Entity(start=0, end=1)
    relation = Relation(head=0, tail=1, label="x")

    for record, name in ((entity, "start"), (relation, "label")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(record, name, 5)
