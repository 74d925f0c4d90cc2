"""What a version was made from: its card, its data, the posts it learnt from."""

import pytest

from cotpd.data.data_checks import DATA_CHECKS, CheckedTable, DataChecks
from cotpd.data.post_hashes import PostHashes
from cotpd.promotion.held_out import HeldOut
from cotpd.promotion.origin_rules import judge_card, judge_data, judge_leak, judge_posts
from cotpd.promotion.rules import DataRule, LeakRule
from cotpd.registry.model_card import CARD, SECTIONS
from cotpd.registry.versions import Version
from tests.builders import build_post

HEAD = "---\nlicense: mit\nbase_model: tiny\npipeline_tag: token-classification\nmodel-index: [1]\n---\n\n"
POSTS = [build_post(f"a post that is number {word}", id=word) for word in ("one", "two", "three", "four")]
HELD_OUT = HeldOut(POSTS, "data/prepared/test.jsonl", "abc")


def write_card(folder, sections):
    (folder / CARD).write_text(HEAD + "".join(f"## {section}\n\nA few words.\n\n" for section in sections))


def test_a_complete_card_passes(tmp_path):
    write_card(tmp_path, SECTIONS)

    assert judge_card(tmp_path).status == "passed"


def test_a_card_is_refused_with_the_sections_that_it_lacks(tmp_path):
    write_card(tmp_path, [section for section in SECTIONS if section not in ("Limits", "Cost")])

    result = judge_card(tmp_path)

    assert result.status == "failed"
    assert "says nothing on: Limits, Cost" in result.explanation


def test_a_version_without_a_card_is_refused(tmp_path):
    assert "has no model card" in judge_card(tmp_path).explanation


def write_checks(folder, **changes):
    tables = (CheckedTable(name="posts", rows=100, failed=5), CheckedTable(name="answers", rows=100, failed=6))
    (folder / "artifacts").mkdir()
    DataChecks(tables=tables, **changes).write(folder / "artifacts" / DATA_CHECKS)


def test_each_table_is_judged_by_the_share_that_failed(tmp_path):
    write_checks(tmp_path)

    results = list(judge_data(tmp_path, DataRule(max_failed_share=0.05)))

    assert [(row.subject, row.status) for row in results] == [("posts", "passed"), ("answers", "failed")]
    assert "6 of 100 failed their checks (6.0%); allowed: 5.0%" in results[1].explanation


def test_warnings_refuse_only_where_the_rules_say_so(tmp_path):
    write_checks(tmp_path, warnings=("train holds no MISC",))

    allowed, refused = (
        [
            row.subject
            for row in judge_data(tmp_path, DataRule(max_failed_share=1, warnings=choice))
            if row.status == "failed"
        ]
        for choice in ("allow", "refuse")
    )

    assert (allowed, refused) == ([], ["warnings"])


@pytest.mark.parametrize(("allowed", "status"), [(0.0, "failed"), (0.25, "passed")])
def test_the_share_of_held_out_posts_that_leak_may_be_allowed(allowed, status):
    training_posts = PostHashes.build([POSTS[1]])

    exact, similar = judge_leak(training_posts, HELD_OUT, LeakRule(max_exact_share=allowed, similarity=0.9))

    assert (exact.status, exact.challenger, exact.support) == (status, 0.25, 4)
    assert "The first: two" in exact.explanation
    assert similar.status == "passed"


def test_near_posts_are_counted_without_the_exact_ones():
    training_posts = PostHashes.build([POSTS[1]])

    exact, similar = judge_leak(training_posts, HELD_OUT, LeakRule(similarity=0.5))

    assert (exact.challenger, similar.challenger) == (0.25, 0.75)


@pytest.mark.parametrize(
    ("tags", "is_named", "status"),
    [
        ({"sha256.test.jsonl": "abc"}, False, "passed"),
        ({"sha256.test.jsonl": "other"}, False, "failed"),
        ({}, False, "failed"),
        ({}, True, "skipped"),
    ],
)
def test_the_posts_are_those_of_the_registration_or_named(tags, is_named, status):
    version = Version("m", 1, tags=tags)

    assert judge_posts(version, HELD_OUT, is_named=is_named).status == status
