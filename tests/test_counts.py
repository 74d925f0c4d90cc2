"""Counts with their noun."""

import pytest

from cotpd.counts import format_count


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 posts"), (1, "1 post"), (2, "2 posts"), (1200, "1,200 posts"), (1.0, "1 post"), (0.5, "0.5 posts")],
)
def test_one_thing_has_the_singular(count: float, text: str) -> None:
    assert format_count(count, "post") == text


def test_a_verb_follows_the_noun() -> None:
    texts = [format_count(count, "entry is", "entries are") for count in (1, 3)]

    assert texts == ["1 entry is", "3 entries are"]
