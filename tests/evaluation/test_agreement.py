"""Our scores of tag sequences against seqeval, conlleval (Perl) and nervaluate, on legal and illegal tags.

An illegal sequence has an I- that continues no mention of its type. Two repairs are usual: conlleval lets it open a
mention, which is ours; a strict reading of IOB2 drops it. The Perl script has no licence that lets us ship it: it is
taken from COTPD_CONLLEVAL or the PATH, and its test is skipped where it, or Perl, is missing.
"""

import os
import re
import shutil
import subprocess
import warnings
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate.evaluator import Evaluator
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as score_leniently
from seqeval.metrics.v1 import precision_recall_fscore_support as score_strictly
from seqeval.scheme import IOB2

from cotpd.data.bio import decode_tags, encode_spans
from cotpd.evaluation.scores import count_outcomes, score
from cotpd.student.tasks import NerPrediction

CONLLEVAL = os.environ.get("COTPD_CONLLEVAL") or shutil.which("conlleval") or shutil.which("conlleval.pl")
TYPES = ("PER", "LOC")
EVERY_TAG = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
_PAIRS = st.tuples(st.sampled_from(EVERY_TAG), st.sampled_from(EVERY_TAG))
TAGGED_POSTS = st.lists(st.lists(_PAIRS, min_size=1, max_size=8), min_size=1, max_size=5)
needs_conlleval = pytest.mark.skipif(
    not (CONLLEVAL and shutil.which("perl")), reason="neither COTPD_CONLLEVAL nor the PATH names conlleval"
)


def split_sides(tagged_posts):
    """Return the gold and the predicted tags of each post."""
    columns = [zip(*pairs, strict=True) for pairs in tagged_posts]
    gold, predicted = zip(*columns, strict=True)
    return [list(tags) for tags in gold], [list(tags) for tags in predicted]


def read_rows(gold, predicted):
    """Return the rows that the tags of both sides decode to."""
    rows = []
    for number, sides in enumerate(zip(gold, predicted, strict=True)):
        left, right = (decode_tags(tags)[0] for tags in sides)
        rows.append(NerPrediction(id=str(number), split="test", model="student", gold=left, predicted=right))
    return rows


def measure(gold, predicted):
    scores = score(read_rows(gold, predicted), "ner")
    return scores.precision, scores.recall, scores.f1


def drop_orphans(tags):
    """Return tags without any I- that continues no mention of its type: the strict repair."""
    repaired = []
    for tag in tags:
        previous = repaired[-1] if repaired else "O"
        is_orphan = tag.startswith("I-") and previous[2:] != tag[2:]
        repaired.append("O" if is_orphan else tag)
    return repaired


@settings(deadline=None)
@given(TAGGED_POSTS)
def test_any_tags_score_as_in_seqeval(tagged_posts):
    gold, predicted = split_sides(tagged_posts)

    figures = measure(gold, predicted)

    assert figures == pytest.approx(score_leniently(gold, predicted, average="micro", zero_division=0)[:3])


@settings(deadline=None)
@given(TAGGED_POSTS)
def test_with_orphans_dropped_any_tags_score_as_in_seqevals_strict_mode(tagged_posts):
    gold, predicted = split_sides(tagged_posts)
    repaired = [list(map(drop_orphans, side)) for side in (gold, predicted)]

    figures = measure(*repaired)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval's, of posts without mentions
        strict = score_strictly(gold, predicted, average="micro", zero_division=0, scheme=IOB2)
    assert figures == pytest.approx(strict[:3])


@settings(deadline=None)
@given(TAGGED_POSTS)
def test_any_tags_score_as_in_nervaluates_strict_schema(tagged_posts):
    gold, predicted = split_sides(tagged_posts)

    figures = measure(gold, predicted)

    result = Evaluator(gold, predicted, tags=list(TYPES), loader="list").evaluate()["overall"]["strict"]
    assert figures == pytest.approx((result.precision, result.recall, result.f1))


@needs_conlleval
@settings(deadline=None, max_examples=50)
@given(TAGGED_POSTS)
def test_any_tags_count_as_in_conlleval(tagged_posts):
    posts = list(map(format_post, tagged_posts))

    hits, spurious, missed = count_outcomes(read_rows(*split_sides(tagged_posts))).sum(0).tolist()

    output = run_conlleval("\n".join(posts))
    counts = re.search(r"with (\d+) phrases; found: (\d+) phrases; correct: (\d+)", output)
    assert tuple(map(int, counts.groups())) == (hits + missed, hits + spurious, hits)


def format_post(pairs):
    return "".join(f"w {gold} {predicted}\n" for gold, predicted in pairs)


def run_conlleval(table):
    command = ["perl", CONLLEVAL, "-d", " "]
    return subprocess.run(command, input=table, capture_output=True, text=True, check=True, timeout=30).stdout


def repair_tags(tags):
    return encode_spans(decode_tags(tags)[0], len(tags))


@settings(deadline=None)
@given(TAGGED_POSTS)
def test_a_repaired_sequence_is_legal_and_scores_the_same(tagged_posts):
    gold, predicted = split_sides(tagged_posts)

    repaired = [list(map(repair_tags, side)) for side in (gold, predicted)]

    assert not any(decode_tags(tags)[1] for tags in chain.from_iterable(repaired))
    assert measure(*repaired) == measure(gold, predicted)


@pytest.mark.parametrize(
    ("gold", "predicted", "f1"),
    [
        (["B-PER", "B-PER"], ["B-PER", "I-PER"], 0.0),  # adjacent mentions of one type are two
        (["B-PER", "B-LOC"], ["I-PER", "I-LOC"], 1.0),  # both orphans open a mention
        (["B-PER", "I-PER"], ["I-PER", "I-PER"], 1.0),
        (["B-PER", "I-PER", "O"], ["B-PER", "I-LOC", "O"], 0.0),
    ],
)
def test_adjacent_mentions_and_orphans_by_hand(gold, predicted, f1):
    assert measure([gold], [predicted])[2] == pytest.approx(f1)
