"""Posts and answers that the tests of the suites share."""

from cotpd.data.records import Answer, Kind, Post
from tests.builders import build_post

TEXT = "Ada Lovelace lands in Rome tonight, what a view"
GOOD = "Ada Lovelace, a mathematician, arrives in Rome, the capital of Italy."


def build_located_post(post_id: str, text: str = TEXT) -> Post:
    """Build a post that names its file and line."""
    return build_post(text, id=post_id, file="posts.jsonl", line=7)


POSTS = [build_located_post(str(number)) for number in range(10)]


def build_answer(text: str, finish_reason: str = "stop", post_id: str = "0", kind: Kind = Kind.SENTENCE) -> Answer:
    """Build an answer of a model to a question about a post."""
    return Answer(id=post_id, kind=kind, text=text, source="llm", finish_reason=finish_reason)
