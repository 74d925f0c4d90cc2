"""Bodies of every kind that a machine thinks of: each is read or refused, and never anything else."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from cotpd.serving.limits import Limits
from cotpd.serving.request_body import RefusedError, read_rows
from cotpd.serving.request_models import RequestModels

MODELS = {task: RequestModels(task, Limits(texts=3, characters=20)) for task in ("ner", "re")}
NAMES = st.sampled_from(["text", "texts", "pairs", "head", "tail", "x", "\ud800"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=25) | st.just("\udc00")
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)


def read(body, task):
    """Return the rows of a body, or None and its refusal."""
    try:
        return read_rows(body, MODELS[task], task), None
    except RefusedError as error:
        return None, error


@given(VALUES, st.sampled_from(["ner", "re"]))
@settings(max_examples=300, deadline=None)
def test_every_json_value_is_read_or_refused(value, task):
    rows, refusal = read(json.dumps(value).encode(), task)

    assert 1 <= len(rows) <= 3 if refusal is None else refusal.status in (400, 422)


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_all_bytes_are_read_or_refused(body):
    refusals = [read(body, "ner")[1], read(b'{"text": ' + body + b"}", "ner")[1]]

    assert all(refusal is None or refusal.problem.strip() for refusal in refusals)
