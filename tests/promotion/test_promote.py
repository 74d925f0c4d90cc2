"""A version becomes champion if every rule holds, and by force; anything else leaves the alias where it is."""

import shutil

import pytest

from cotpd.data.tables import write_table
from cotpd.errors import ConfigError
from cotpd.promotion import promote as promote_module
from cotpd.promotion.promote import Request, promote_version
from cotpd.registry.aliases import read_figures, read_history
from cotpd.registry.moves import ChampionMovedError
from tests.promotion.gate_project import (
    HELD_OUT,
    NAME,
    build_held_out,
    find_champion,
    list_failures,
    move_to,
    write_project,
)


@pytest.mark.usefixtures("champion")
def test_an_equal_version_is_promoted(client, add_version, students):
    add_version(students["ner"])

    promotion = promote_version(client, Request(NAME))

    assert (promotion.outcome, promotion.version, promotion.champion) == ("promoted", 2, 1)
    assert promotion.verdict.passed
    assert find_champion(client) == 2
    statuses = {result.title: result.status for result in promotion.verdict.results}
    assert statuses["types: ORG"] == statuses["slices: unseen mentions"] == "passed"
    assert statuses["card"] == statuses["time"] == "skipped"
    assert statuses["slices: no picture"] == "passed"


@pytest.mark.usefixtures("champion")
def test_a_worse_version_is_refused_with_each_rule_that_failed(client, add_version, untrained):
    add_version(untrained)

    promotion = promote_version(client, Request(NAME))

    assert (promotion.outcome, find_champion(client)) == ("refused", 1)
    assert {"score", "types: ORG", "types: PER", "slices: unseen mentions"} <= list_failures(promotion.verdict)
    score = promotion.verdict.results[1]
    assert score.challenger < score.champion == 1
    assert score.low <= score.difference <= score.high < score.bound == -0.02
    assert score.support == 80


@pytest.mark.usefixtures("champion")
def test_an_equal_version_is_refused_where_a_better_one_is_required(client, add_version, students):
    add_version(students["ner"])

    promotion = promote_version(client, Request(NAME, require="better"))

    assert promotion.outcome == "refused"
    assert list_failures(promotion.verdict) == {"score"}
    assert promotion.verdict.rules["score"]["require"] == "better"


@pytest.mark.usefixtures("champion")
def test_a_dry_run_judges_and_moves_nothing(client, add_version, students, untrained):
    add_version(students["ner"])
    equal = promote_version(client, Request(NAME, is_dry_run=True))
    add_version(untrained)
    worse = promote_version(client, Request(NAME, is_dry_run=True))

    assert (equal.outcome, worse.outcome) == ("would promote", "would refuse")
    assert find_champion(client) == 1


@pytest.mark.usefixtures("champion")
def test_force_moves_the_alias_with_a_reason(client, add_version, untrained):
    add_version(untrained)

    promotion = promote_version(client, Request(NAME, is_forced=True, reason="the champion leaks names"))

    (_, move) = read_history(client, NAME)
    assert (promotion.outcome, promotion.reason) == ("forced", "the champion leaks names")
    assert find_champion(client) == 2
    assert (move.kind, move.reason, move.from_version, move.to_version) == (
        "forced promotion",
        promotion.reason,
        1,
        2,
    )
    assert "score, types: ORG" in move.facts["failed"]
    assert move.rules_sha256 == promotion.verdict.rules_sha256
    assert read_figures(client, NAME, move) == promotion.verdict.model_dump(mode="json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_forced": True}, "forced for a reason"),
        ({"is_forced": True, "reason": "  "}, "forced for a reason"),
        ({"is_forced": True, "reason": "x", "is_dry_run": True}, "nothing to force"),
        ({"target": "challenger"}, "moves the alias champion alone, not 'challenger'"),
    ],
)
def test_a_request_that_means_nothing_is_refused_before_anything_is_read(changes, message):
    with pytest.raises(ConfigError, match=message):
        Request(NAME, **changes)


@pytest.mark.usefixtures("champion")
def test_the_champion_itself_is_not_judged(client):
    assert promote_version(client, Request(NAME, version="1")).outcome == "unchanged"


def test_the_first_champion_must_beat_the_baseline(client, add_version, students, untrained):
    shutil.copytree(untrained, "models/baseline")
    add_version(untrained)
    same = promote_version(client, Request(NAME))
    add_version(students["ner"])

    better = promote_version(client, Request(NAME))

    assert list_failures(same.verdict) == {"score"}
    assert (better.outcome, better.champion, better.verdict.reference) == ("promoted", None, "models/baseline")
    assert find_champion(client) == 2


def test_without_champion_and_baseline_nothing_is_promoted_but_by_force(client, add_version, students):
    add_version(students["ner"])

    refused = promote_version(client, Request(NAME))
    forced = promote_version(client, Request(NAME, is_forced=True, reason="first of all"))

    (failure,) = refused.verdict.list_failures()
    assert "no baseline to beat: models/baseline: there is no such folder: train it" in failure.explanation
    assert (forced.outcome, find_champion(client)) == ("forced", 1)


def test_relations_are_judged_by_the_same_rules(client, add_version, students, project):
    write_project(project, task="re")
    add_version(students["re"], task="re")
    move_to(client, 1, "cotpd-re")
    add_version(students["re"], task="re")

    promotion = promote_version(client, Request("cotpd-re"))

    titles = {result.title for result in promotion.verdict.results if result.status == "passed"}
    assert promotion.outcome == "promoted"
    assert {"score", "types: member", "slices: unseen mentions", "slices: long posts", "leak: near"} <= titles


@pytest.mark.usefixtures("champion")
def test_a_part_with_little_support_is_not_judged(client, add_version, untrained):
    write_table(HELD_OUT, build_held_out(20))
    add_version(untrained)

    promotion = promote_version(client, Request(NAME))

    statuses = {result.title: result.status for result in promotion.verdict.results}
    assert (statuses["score"], statuses["types: PER"], statuses["calibration"]) == ("failed", "skipped", "skipped")


@pytest.mark.usefixtures("champion")
def test_the_alias_moves_only_from_the_champion_that_was_judged(client, add_version, students, monkeypatch):
    add_version(students["ner"])
    add_version(students["ner"])
    judge = promote_module.judge

    def judge_while_another_promotes(case):
        verdict = judge(case)
        move_to(client, 2)
        return verdict

    monkeypatch.setattr(promote_module, "judge", judge_while_another_promotes)
    with pytest.raises(ChampionMovedError, match="it is version 2 now"):
        promote_version(client, Request(NAME))

    assert find_champion(client) == 2
