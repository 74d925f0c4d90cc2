"""What the tables of a project say for the diagnoses of its run."""

from cotpd.augment.params import AugmentParams
from cotpd.config import Params
from cotpd.data.records import KNOWLEDGE_KINDS, Knowledge, Quarantined
from cotpd.data.tables import write_table
from cotpd.evaluation.diagnoses import SetAside
from cotpd.pipeline.diagnosis_inputs import gather_run_evidence
from cotpd.pipeline.workspace import Workspace
from cotpd.student.params import StudentParams
from tests.builders import build_posts, write_prepared_tables


def test_rows_set_aside_are_counted_by_step_out_of_all_that_it_saw(tmp_path):
    posts = build_posts(6)
    write_prepared_tables(tmp_path, {"train": posts[:4], "test": posts[4:]})
    workspace = Workspace(tmp_path)
    rows = [Quarantined(id=str(number), step="validate", reason=reason) for number, reason in enumerate("aab")]
    write_table(workspace.validated / "quarantine.jsonl", rows)

    evidence = gather_run_evidence(workspace, Params(), [], {})

    passed = 6 * len(KNOWLEDGE_KINDS) + 6  # answers and captions
    assert evidence.set_aside == [SetAside("validate", 3, passed + 3, "a")]


def test_posts_with_an_answer_are_counted_by_split(tmp_path):
    posts = build_posts(6)
    write_prepared_tables(tmp_path, {"train": posts[:2], "test": posts[2:]})
    workspace = Workspace(tmp_path)
    answers = [Knowledge(id=post.id, kind=KNOWLEDGE_KINDS[0], text="a city") for post in posts[:3]]
    write_table(workspace.validated / "knowledge.jsonl", answers)

    evidence = gather_run_evidence(workspace, Params(), [], {})

    assert evidence.answered == {"valid": (0, 0), "test": (1, 4)}


def test_the_score_has_the_name_that_its_task_gives_it(tmp_path):
    write_prepared_tables(tmp_path, {"train": build_posts(2)})

    names = [
        gather_run_evidence(Workspace(tmp_path), build_params(task), [], {}).score_name
        for task in ("ner", "re", "sentiment")
    ]

    assert names == ["F1", "F1", "accuracy"]


def build_params(task):
    return Params(task=task, augment=AugmentParams(kinds=()))


def test_a_student_without_prompt_vectors_has_no_generator(tmp_path):
    write_prepared_tables(tmp_path, {"train": build_posts(2)})
    without = Params(student=StudentParams(encoder="e", prompt_length=0))

    has_generator = [
        gather_run_evidence(Workspace(tmp_path), params, [], {}).has_generator for params in (Params(), without)
    ]

    assert has_generator == [True, False]
