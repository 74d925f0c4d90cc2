"""Versions, posts and evidence that the gate cannot trust or find are refused; force alone passes some of them."""

import shutil

import pytest

from cotpd.data.data_checks import CheckedTable, DataChecks
from cotpd.data.tables import write_table
from cotpd.errors import DataError, ModelError
from cotpd.promotion.promote import Request, promote_version
from tests.builders import build_post, build_student
from tests.promotion.gate_project import HELD_OUT, NAME, build_held_out, find_champion, list_failures


@pytest.mark.usefixtures("champion")
def test_other_labels_are_refused_with_what_differs(client, add_version, encoder, tmp_path):
    build_student(encoder, types=("PER", "LOC")).save(tmp_path / "other")
    add_version(tmp_path / "other")

    promotion = promote_version(client, Request(NAME))

    assert "labels" in list_failures(promotion.verdict)
    assert "it lacks ORG and adds LOC" in promotion.verdict.results[0].explanation


@pytest.mark.usefixtures("champion")
def test_a_model_of_the_other_task_is_refused_and_not_compared(client, add_version, students):
    add_version(students["re"], name=NAME)

    promotion = promote_version(client, Request(NAME))

    assert list_failures(promotion.verdict) == {"labels"}
    assert "the challenger is of task re, the champion of task ner" in promotion.verdict.results[0].explanation
    assert promotion.verdict.results[1].status == "skipped"


@pytest.mark.usefixtures("champion")
def test_a_champion_that_cannot_be_loaded_can_be_replaced_by_force_alone(client, add_version, students):
    shutil.rmtree(next(path for path in (HELD_OUT.cwd() / "mlruns").rglob("artifacts/student") if path.is_dir()))
    add_version(students["ner"])

    refused = promote_version(client, Request(NAME))
    forced = promote_version(client, Request(NAME, is_forced=True, reason="its files are gone"))

    (failure,) = refused.verdict.list_failures()
    assert "the champion cannot be loaded" in failure.explanation
    assert "cotpd registry rollback" in failure.explanation
    assert forced.outcome == "forced"


@pytest.mark.usefixtures("champion")
def test_a_challenger_whose_files_changed_is_never_promoted(client, add_version, students):
    before = set(HELD_OUT.cwd().rglob("student.json"))
    add_version(students["ner"])
    (card,) = set(HELD_OUT.cwd().rglob("student.json")) - before
    card.write_text("{}")

    with pytest.raises(ModelError, match=r"student\.json was changed since it was registered"):
        promote_version(client, Request(NAME, is_forced=True, reason="whatever it takes"))

    assert find_champion(client) == 1


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(
    ("changes", "failures"),
    [
        ({"training": None}, {"leak"}),
        ({"training": build_held_out(1)}, {"leak: exact"}),
        ({"training": [build_post("RT @you : ada works for acme in Rome now ! http://t.co/x")]}, {"leak: near"}),
        ({"checks": None}, {"data"}),
        ({"checks": DataChecks(tables=(CheckedTable(name="answers", rows=9, failed=8),))}, {"data: answers"}),
        ({"tables": []}, {"posts"}),
    ],
)
def test_a_version_without_its_evidence_or_with_bad_evidence_is_refused(
    client, add_version, students, changes, failures
):
    add_version(students["ner"], **changes)

    promotion = promote_version(client, Request(NAME))

    assert (promotion.outcome, list_failures(promotion.verdict)) == ("refused", failures)


@pytest.mark.usefixtures("champion")
def test_posts_that_changed_since_the_registration_are_refused_unless_they_are_named(
    client, add_version, students
):
    add_version(students["ner"])
    write_table(HELD_OUT, build_held_out(41))

    refused = promote_version(client, Request(NAME))
    promoted = promote_version(client, Request(NAME, posts=HELD_OUT))

    assert list_failures(refused.verdict) == {"posts"}
    assert (promoted.outcome, promoted.verdict.posts_count) == ("promoted", 41)


@pytest.mark.usefixtures("champion")
def test_without_held_out_posts_nothing_is_judged_and_only_force_promotes(client, add_version, students):
    add_version(students["ner"])
    HELD_OUT.unlink()

    with pytest.raises(DataError, match=r"test\.jsonl: there is no such table"):
        promote_version(client, Request(NAME))
    forced = promote_version(client, Request(NAME, is_forced=True, reason="no posts here"))

    assert forced.outcome == "forced"
    assert "posts" in list_failures(forced.verdict)


@pytest.mark.usefixtures("champion")
def test_a_model_or_a_version_that_is_not_there_is_named_with_those_that_are(client):
    for request, message in (
        (Request("cotpd-nr"), "there is no registered model cotpd-nr"),
        (Request(NAME, version="7"), "has no version or alias '7'"),
    ):
        with pytest.raises(ModelError, match=message):
            promote_version(client, request)
