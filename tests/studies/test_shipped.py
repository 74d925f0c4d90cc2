"""Every study that comes with the package, run to its result on tiny models, in this process."""

import html
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.data.records import AUGMENT_KINDS, FEW_SHOT, ZERO_SHOT, Augmented, Extracted, Kind
from cotpd.data.tables import write_json, write_table
from cotpd.pipeline.workspace import Workspace
from cotpd.studies.report_page import render_markdown
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.schedule import build_result, make_schedule, select_part
from cotpd.studies.study import list_studies, read_study
from tests.builders import build_posts
from tests.studies.jobs_here import run_jobs_here

pytestmark = pytest.mark.slow

NAMES = [path.stem for path in list_studies() if not path.stem.startswith(("cross-domain-twitter", "cross-llm"))]


def read_tiny_study(name: str, base: Params):
    """Read a study with one seed, its encoders replaced by the one of the parameters, which has a single layer."""
    named = select_part(read_study(name, base), seeds=[1])
    for cell, params in named.params.items():
        student = params.student.model_copy(update={"encoder": base.student.encoder, "layers": None})
        teach = params.teach.model_copy(update={"encoder": None})
        named.params[cell] = params.model_copy(update={"student": student, "teach": teach})
    return named


def write_labels(project: Path) -> None:
    """Write what a language model alone labelled: the first mention of each post to be tested on."""
    workspace = Workspace(project)
    rows = []
    for post in workspace.read_posts("test"):
        rows += [
            Extracted(id=post.id, split="test", row=row, mentions=post.entities[:1])
            for row in (FEW_SHOT, ZERO_SHOT)
        ]
    write_table(workspace.extracted / "extracted.jsonl", rows)


def run_here(named, folder: Path):
    """Do everything that a study needs without a further process, and return its result."""
    cache = ResultsCache(folder / "cache")
    schedule = make_schedule(named, cache)
    run_jobs_here(schedule, cache)
    return build_result(schedule, cache, {})


@pytest.mark.parametrize("name", NAMES)
def test_a_study_has_a_score_for_each_cell_and_a_verdict_on_each_difference(name, project, params):
    posts = build_posts(12)
    rows = [
        Augmented(post=post.model_copy(update={"id": f"{post.id}~{kind}"}), of=post.id, kind=kind)
        for post, kind in zip(posts, AUGMENT_KINDS * 4, strict=True)
    ]
    write_table(Workspace(project).augmented / "augmented.jsonl", rows)
    write_labels(project)

    named = read_tiny_study(name, params)
    # no answers of other sources are recorded for the sample's posts
    unrecorded = {cell.name for cell in named.study.cells if cell.data.source is not None}

    result = run_here(named, project)

    assert {cell.name for cell in result.cells if cell.problem} == unrecorded
    assert all(list(cell.f1) == [1] for cell in result.cells if not cell.problem)
    sound = [verdict for verdict in result.verdicts if not verdict.problem]
    assert all(verdict.p_holm is not None for verdict in sound)
    assert sound or name == "student-size"  # whose sizes are all one here
    assert result.answer in html.unescape(render_markdown(result, "picture.png").replace("\\", ""))


@pytest.mark.parametrize("name", ["knowledge", "text-only"])
def test_a_study_of_relations_runs_too(name, project, params):
    named = read_tiny_study(name, params.model_copy(update={"task": "re"}))

    result = run_here(named, project)

    assert result.task == "re"
    assert all(cell.f1 for cell in result.cells if cell.model not in (FEW_SHOT, ZERO_SHOT))


def test_a_study_of_the_label_of_a_whole_post_runs_too_and_names_its_score(project, params):
    workspace = Workspace(project)
    for split in ("train", "test", "unlabelled"):
        posts = [post.model_copy(update={"label": post.tokens[0]}) for post in workspace.read_posts(split)]
        write_table(workspace.locate_posts(split), posts)
    write_json(workspace.prepared / "summary.json", {"classes": ["ann", "bob"]})
    augmented = [
        row.model_copy(update={"post": row.post.model_copy(update={"label": "ann"})})
        for row in workspace.read_augmented()
    ]
    write_table(workspace.augmented / "augmented.jsonl", augmented)
    teach = params.teach.model_copy(update={"folds": 2})
    augment = params.augment.model_copy(update={"kinds": (Kind.STYLE,)})
    changes = {"task": "sentiment", "teach": teach, "augment": augment}
    named = read_tiny_study("knowledge", params.model_copy(update=changes))

    result = run_here(named, project)

    assert all(cell.f1 for cell in result.cells if cell.model not in (FEW_SHOT, ZERO_SHOT))
    assert "points of accuracy on test" in result.answer
    assert "accuracy, mean ± deviation" in render_markdown(result, "picture.png")


def test_students_that_begin_as_their_teacher_are_of_its_weights(project, params):
    distil = params.distil.model_copy(update={"start": "teacher"})
    student = params.student.model_copy(update={"prompt_length": 0})
    named = read_tiny_study("knowledge", params.model_copy(update={"distil": distil, "student": student}))

    result = run_here(named, project)

    assert all(cell.f1 for cell in result.cells if cell.model not in (FEW_SHOT, ZERO_SHOT))


def test_the_language_model_alone_is_scored_as_the_extract_step_read_it(project, params):
    write_labels(project)
    named = select_part(read_tiny_study("knowledge", params), cells=["LLM alone, few-shot"])

    result = run_here(named, project)

    [cell] = result.cells
    assert cell.f1 == {1: pytest.approx(2 / 3, abs=1e-6)}  # of two mentions in each post it named one
    assert (cell.labelled, cell.posts, cell.sees) == (0, 6, "text")


def test_without_its_answers_the_language_model_is_left_out_with_what_to_do(project, params):
    result = run_here(
        select_part(read_tiny_study("knowledge", params), cells=["text", "LLM alone, few-shot"]), project
    )

    problems = {cell.name: cell.problem for cell in result.cells}
    assert problems["text"] == ""
    assert "set llm_row.enabled and run dvc repro extract" in problems["LLM alone, few-shot"]
