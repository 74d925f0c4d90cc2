"""The model card of a registered version: where it is shown, and what it says of a real registration."""

from pathlib import Path

import pytest

from cotpd.data.tables import write_table
from cotpd.evaluation.intervals import IntervalRow
from cotpd.pipeline.registration import register_student
from cotpd.registry.model_address import fetch_version
from cotpd.registry.model_card import CARD, list_missing_sections, shorten_card
from cotpd.registry.tracking_store import connect
from cotpd.registry.training_curves import FINGERPRINT
from cotpd.registry.versions import find_version
from cotpd.student.checkpoint import read_fingerprint

SCORES = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "macro_f1": 0.5, "calibration_error": 0.1}
METRICS = {"test": {"student": SCORES}}


@pytest.fixture
def registered(project, params, students):
    """A version with everything that the pipeline knows, and the client of its registry."""
    evaluation, table = project / "evaluation", project / "train.jsonl"
    table.write_text("{}\n{}\n")
    parts = [("all", ""), ("type", "<b>PER</b>"), ("slice", "long posts")]
    rows = [
        IntervalRow(split="test", model="student", part=part, name=name, support=40, f1=0.5, low=0.4, high=0.6)
        for part, name in parts
    ]
    write_table(evaluation / "intervals.jsonl", rows)
    client = connect(params["ner"].register_, project)
    experiment = client.create_experiment("cotpd", artifact_location=(project / "mlruns").as_uri())
    training = client.create_run(
        experiment, start_time=1_000, tags={FINGERPRINT: read_fingerprint(students["ner"])}
    )
    client.set_terminated(training.info.run_id, end_time=62_000)
    register_student(
        params["ner"],
        students["ner"],
        METRICS,
        evaluation=evaluation,
        tables=[table],
        trained=[students["ner"]],
        cost=[("dollars", "1.23")],
        root=project,
    )
    return client, find_version(client, "cotpd-ner", "1")


def test_the_card_is_complete_in_the_version_in_its_run_and_as_its_description(registered, tmp_path):
    client, version = registered

    card = (fetch_version(client, version) / CARD).read_text("utf-8")

    assert list_missing_sections(card) == []
    for line in (
        "It knows: ORG, PER.",
        "| dollars | 1.23 |",
        "| training of student | 1 min 1 s from begin to end",
    ):
        assert line in card
    assert "| train.jsonl | 2 |" in card
    assert "<b>" not in card
    artifact = client.download_artifacts(version.run_id, CARD, tmp_path)
    assert Path(artifact).read_text("utf-8") == card
    shown = client.get_model_version("cotpd-ner", "1")
    assert shown.description == shorten_card(card)
    assert "model card" in client.get_registered_model("cotpd-ner").description


def test_what_a_person_wrote_about_a_registered_model_stays(registered, project, params, students):
    client, _ = registered
    client.update_registered_model("cotpd-ner", description="ours")

    register_student(params["ner"], students["ner"], METRICS, root=project)

    assert client.get_registered_model("cotpd-ner").description == "ours"
    card = (fetch_version(client, find_version(client, "cotpd-ner", "2")) / CARD).read_text("utf-8")
    assert list_missing_sections(card) == ["Scores by type", "Scores by slice", "Data", "Cost"]
