"""Where the mentions that a model named stand: the rules, one by one, and whatever a model may write."""

from hypothesis import given
from hypothesis import strategies as st

from cotpd.extraction.mention_positions import NamedMention, place_mentions
from tests.builders import build_post


def place(text: str, *names: str) -> list[str]:
    """Return what stands at each place, with the place."""
    post = build_post(text)
    placement = place_mentions(post.text, post.offsets, [NamedMention(name, "X") for name in names])
    return [f"{entity.start}:{post.get_mention(entity)}" for entity in placement.mentions]


def test_a_mention_stands_where_its_text_does():
    assert place("Ada met Bob in New York", "New York", "Ada") == ["0:Ada", "4:New York"]


def test_a_name_that_was_given_once_is_labelled_once():
    assert place("Ada and Ada and Ada", "Ada") == ["0:Ada"]


def test_a_name_that_was_given_twice_is_labelled_twice():
    assert place("Ada and Ada and Ada", "Ada", "Ada") == ["0:Ada", "2:Ada"]


def test_a_longer_mention_goes_before_one_within_it_whatever_their_order():
    for names in (("York", "New York"), ("New York", "York")):
        assert place("New York then York", *names) == ["0:New York", "3:York"]


def test_of_two_mentions_that_overlap_the_longer_stays():
    assert place("Bank of England", "Bank of", "of England", "Bank of England") == ["0:Bank of England"]


def test_the_exact_spelling_goes_before_another_case():
    assert place("apple pie at Apple", "Apple") == ["3:Apple"]


def test_another_case_quotation_mark_or_space_is_found_all_the_same():
    assert place("O’Neill flew  home to NASA", "o'neill", "Nasa") == ["0:O’Neill", "6:NASA"]
    assert place("he saw New  York", "New York") == ["2:New  York"]


def test_punctuation_around_a_name_is_no_part_of_it():
    assert place("back in Rome .", '"Rome."') == ["2:Rome"]


def test_a_name_within_a_word_is_nowhere():
    assert place("Annual fair", "Ann") == []


def test_what_has_no_place_is_left_out_with_its_reason():
    post = build_post("New York then Rome")
    names = ("Paris", "York", "New York", "Rome", "Rome", " ")

    placement = place_mentions(post.text, post.offsets, [NamedMention(name, "X") for name in names])

    assert len(placement.mentions) == 2
    assert [problem.partition("'")[2].partition("'")[0] for problem in placement.problems] == [
        "Paris",
        "York",
        "Rome",
        " ",
    ]
    assert "not stand in the post" in placement.problems[0]
    assert "within another mention, or was named more often" in placement.problems[1]


WORDS = st.sampled_from(["Ada", "ADA", "New", "York", "İ", "ß", "#", "’s", "\u200b", "(", "\\", "🐶", "a.b"])


@given(st.lists(WORDS, min_size=1, max_size=8), st.lists(st.one_of(st.text(), WORDS), max_size=6))
def test_whatever_a_model_names_mentions_never_overlap_and_none_is_lost(words, names):
    post = build_post("x " + " ".join(words) + " x")

    placement = place_mentions(post.text, post.offsets, [NamedMention(name, "X") for name in names])

    ends = [0, *(entity.end for entity in placement.mentions)]
    assert all(entity.start >= end for entity, end in zip(placement.mentions, ends, strict=False))
    assert all(entity.end <= len(post.tokens) for entity in placement.mentions)
    assert len(placement.mentions) + len(placement.problems) == len(names)
