"""Knowledge of other prompts, temperatures and models: read out of the ledger, never asked by a study itself."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.data.records import Kind, Knowledge
from cotpd.data.tables import read_table, write_table
from cotpd.pipeline.workspace import Workspace
from cotpd.studies.answer_agreement import compare_answers
from cotpd.studies.report_page import list_notes
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.schedule import build_result, make_schedule
from cotpd.studies.source_answers import ask_sources, prepare_answers
from cotpd.studies.study import read_study
from tests.builders import build_post
from tests.chat_server import build_completion, build_reply
from tests.studies.jobs_here import run_jobs_here

CELLS = [{"name": "here"}, {"name": "warm", "data": {"source": {"temperature": 0.7, "seed": 14}}}]
COMPARISONS = [{"first": "here", "second": "warm", "claim": "Temperature 0"}]
GOOD = "Special words: ann: a woman, person; rome: the capital of Italy, place; acme: a firm, company."


@pytest.fixture
def named(project, params, llm_params, root, write_study):
    """A study of two sources, whose project has a model to ask."""
    (project / "expectations").symlink_to(root / "expectations")
    (project / "data" / "captions.jsonl").write_text("", "utf-8")
    name = write_study(cells=CELLS, comparisons=COMPARISONS, data={"kinds": ["noun"]})
    return read_study(name, params.model_copy(update={"llm": llm_params}))


def run_here(named, project):
    cache = ResultsCache(project / "studies" / "cache")
    schedule = make_schedule(named, cache)
    run_jobs_here(schedule, cache)
    return build_result(schedule, cache, {})


def test_a_study_asks_nothing_and_says_how_many_answers_a_cell_lacks(named, project, server):
    result = run_here(named, project)

    problems = {cell.name: cell.problem for cell in result.cells}
    assert problems["here"] == ""
    assert "16 of 16 answers (temperature 0.7, seed 14) are not in the ledger" in problems["warm"]
    assert "cotpd study ask" in problems["warm"]
    assert server.received == []


def test_once_asked_the_cell_learns_from_these_answers_and_their_agreement_is_stated(named, project, server):
    server.always = build_reply(build_completion(GOOD))
    list(ask_sources(named))
    count = len(server.received)

    result = run_here(named, project)

    assert {cell.name: cell.problem for cell in result.cells} == {"here": "", "warm": ""}
    assert [cell.answers for cell in result.cells] == [16, 16]
    assert {body["temperature"] for body in server.received} == {0.7}
    assert len(server.received) == count  # the run itself asked nothing
    [agreement] = result.agreements
    assert (agreement.first, agreement.second, agreement.posts) == ("here", "warm", 12)
    assert "F1 over 2 sources of answers" in " ".join(list_notes(result))


def prepare_study(project, params, llm_params, root, write_study, **values):
    """Return a study about nouns in a project that can ask the fake server."""
    (project / "expectations").symlink_to(root / "expectations")
    (project / "data" / "captions.jsonl").write_text("", "utf-8")
    name = write_study(**{"data": {"kinds": ["noun"]}} | values)
    return read_study(name, params.model_copy(update={"llm": llm_params}))


def test_a_cell_learns_from_several_answers_a_post_and_counts_each(
    project, params, llm_params, root, write_study, server
):
    source = {"answers": 3, "combine": "joined"}
    cells = [{"name": "one"}, {"name": "three joined", "data": {"source": source}}]
    named = prepare_study(project, params, llm_params, root, write_study, cells=cells)
    server.always = build_reply(build_completion(GOOD))

    before = make_schedule(named, ResultsCache(project / "studies" / "cache")).left_out
    list(ask_sources(named))
    result = run_here(named, project)

    assert "48 of 48 answers (answers 3, combine joined) are not in the ledger" in before["three joined"]
    assert [cell.answers for cell in result.cells] == [16, 48]
    assert {cell.name: cell.problem for cell in result.cells} == {"one": "", "three joined": ""}
    seeds = [body["seed"] for body in server.received]
    assert {seed: seeds.count(seed) for seed in seeds} == {13: 8, 14: 8, 15: 8}  # of eight different texts


def test_cells_of_one_source_lose_no_answers_to_each_other(project, params, llm_params, root, write_study, server):
    """The teacher reads the answers about test posts, too; the student, which comes last, does not."""
    source = {"source": {"temperature": 0.7}}
    cells = [{"name": "teacher", "model": "teacher", "data": source}, {"name": "student", "data": source}]
    named = prepare_study(project, params, llm_params, root, write_study, cells=cells)
    server.always = build_reply(build_completion(GOOD))
    list(ask_sources(named))

    problems = prepare_answers(named)

    [table] = (project / "studies" / "cache" / "answers").glob("*/knowledge.jsonl")
    ids = {row.id for row in read_table(table, Knowledge)}
    assert problems == {}
    assert ids == {post.id for post in Workspace().read_all_posts()}


def test_a_source_that_cannot_be_used_leaves_out_its_own_cell_alone(
    project, params, llm_params, root, write_study, server
):
    bad = {"name": "bad", "data": {"source": {"prompts": "no-such-set"}}}
    named = prepare_study(project, params, llm_params, root, write_study, cells=[CELLS[0], bad, CELLS[1]])
    server.always = build_reply(build_completion(GOOD))

    outcomes = dict(ask_sources(named))
    left_out = make_schedule(named, ResultsCache(project / "studies" / "cache")).left_out

    assert "no-such-set: there is no such prompt set" in str(outcomes["bad"])
    assert outcomes["warm"].from_server == 8  # of eight different texts
    assert list(left_out) == ["bad"]
    assert "no-such-set: there is no such prompt set" in left_out["bad"]


def test_the_command_asks_the_other_sources_where_one_has_no_server(
    project, params, llm_params, root, write_study, server
):
    absent = {"name": "absent", "data": {"source": {"base_url": "http://127.0.0.1:1/v1"}}}
    prepare_study(project, params, llm_params, root, write_study, cells=[absent, CELLS[1]])
    values = json.loads((project / "params.yaml").read_text("utf-8"))
    llm = llm_params.model_copy(update={"retries": 0}).model_dump(mode="json")
    (project / "params.yaml").write_text(json.dumps(values | {"llm": llm}), "utf-8")
    server.always = build_reply(build_completion(GOOD))

    result = CliRunner().invoke(app, ["study", "ask", "mine.yaml"])

    assert result.exit_code == 1
    assert "absent: no model answers at http://127.0.0.1:1/v1" in result.output
    assert "warm: 0 answered from the ledger, 8 asked, 0 failed" in result.output


def test_answers_about_two_data_sets_are_compared_on_the_posts_of_both_alone(
    project, params, llm_params, root, write_study, server
):
    """The two projects use the same ids for different posts, of which they share six."""
    other = project / "other"
    shutil.copytree(project / "data", other / "data")
    workspace = Workspace(other)
    posts = workspace.read_posts("train")
    changed = [post.model_copy(update={"id": posts[-number].id}) for number, post in enumerate(posts[6:], 1)]
    write_table(workspace.locate_posts("train"), [*posts[:6], *changed])
    (other / "data" / "captions.jsonl").write_text("", "utf-8")
    cells = [CELLS[0], CELLS[1] | {"train_on": "other", "test_on": "here"}]
    data_sets = {"here": {}, "other": {"project": "other"}}
    named = prepare_study(
        project, params, llm_params, root, write_study, cells=cells, comparisons=COMPARISONS, data_sets=data_sets
    )
    server.always = build_reply(build_completion(GOOD))
    list(ask_sources(named))

    [agreement] = make_schedule(named, ResultsCache(project / "studies" / "cache")).agreements

    assert agreement.posts == 6


def test_a_cell_that_reads_no_answer_agrees_with_none(project, params, llm_params, root, write_study, server):
    (project / "expectations").symlink_to(root / "expectations")
    (project / "data" / "captions.jsonl").write_text("", "utf-8")
    cells = [CELLS[0] | {"model": "baseline"}, CELLS[1]]
    name = write_study(cells=cells, comparisons=COMPARISONS, data={"kinds": ["noun"]})
    named = read_study(name, params.model_copy(update={"llm": llm_params}))
    server.always = build_reply(build_completion(GOOD))
    list(ask_sources(named))

    assert make_schedule(named, ResultsCache(project / "studies" / "cache")).agreements == []


def test_nonsense_for_every_post_leaves_the_cell_out_with_its_reason(named, project, server):
    server.always = build_reply(build_completion("?"))
    list(ask_sources(named))

    result = run_here(named, project)

    assert "none of the 16 answers (temperature 0.7, seed 14) passes its checks" in result.cells[1].problem


def test_the_plan_says_what_the_missing_answers_cost_or_that_no_price_is_known(
    named, project, params, llm_params, write_study
):
    posts = [json.loads(line) for line in (project / "data/prepared/train.jsonl").read_text("utf-8").splitlines()]
    rows = [
        {"id": post["id"], "text": post["text"], "entities": [{"start": 0, "end": 3, "type": "PER"}]}
        for post in posts
    ]
    (project / "posts").mkdir()
    (project / "posts" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    values = json.loads((project / "params.yaml").read_text("utf-8"))
    llm = llm_params.model_dump(mode="json") | {"base_url": "https://example.org/v1", "model": "gpt-4o-mini"}
    (project / "params.yaml").write_text(json.dumps(values | {"llm": llm}), "utf-8")
    cells = [*CELLS, {"name": "unpriced", "data": {"source": {"model": "nobody-knows-it"}}}]
    name = write_study(cells=cells, comparisons=COMPARISONS, data={"kinds": ["noun"]})

    output = CliRunner().invoke(app, ["study", "plan", name]).output

    assert "8 are not in the ledger: $0.00" in output  # of the 22 posts, those that the cell reads, each text once
    assert "`cotpd study ask mine` asks them (warm)" in output
    assert "no price is known for nobody-knows-it" in output
    assert "$0.00, at most $0.00" in output


def test_the_plan_names_cell_and_model_of_a_cell_that_is_left_out_and_its_reason_below(
    project, params, llm_params, root, write_study
):
    prepare_study(project, params, llm_params, root, write_study, cells=CELLS)

    output = CliRunner().invoke(app, ["study", "plan", "mine.yaml"]).output

    [row] = [line for line in output.splitlines() if "warm" in line and "│" in line]
    assert [part.strip() for part in row.strip("│").split("│")] == ["warm", "student", "1", "left out"]
    assert "left out  warm: 16 of 16 answers (temperature 0.7, seed 14) are not in the ledger" in output


POSTS = [build_post(f"[Ada{number}](PER) met [Rome{number}](LOC)", id=str(number)) for number in range(12)]


def make_answers(write):
    return {post.id: {Kind.NOUN: write(number)} for number, post in enumerate(POSTS)}


def test_equal_answers_agree_wholly_and_answers_about_other_posts_not_at_all():
    answers = make_answers(lambda number: f"Ada{number}: a woman, person; Rome{number}: a city, place")
    shuffled = make_answers(lambda number: answers[str((number + 5) % 12)][Kind.NOUN])

    equal = compare_answers(("a", "b"), answers, answers, POSTS, seed=1)
    chance = compare_answers(("a", "b"), answers, shuffled, POSTS, seed=1)

    assert (equal.words, equal.corrected, equal.posts) == (1.0, 1.0, 12)
    assert equal.by_chance < 0.9
    assert equal.typing == 1.0
    assert chance.corrected < 0.1


def test_the_sort_of_a_mention_is_compared_and_whether_it_is_named():
    first = make_answers(lambda number: f"Ada{number}: a person; Rome{number}: a place")
    second = make_answers(lambda number: f"ADA{number}: a person" + f"; Rome{number}: a company" * (number % 2))

    agreement = compare_answers(("a", "b"), first, second, POSTS, seed=1)

    assert agreement.mentions == 24
    assert agreement.named_by_both == 18
    assert agreement.naming == 0.0  # the first names all: nothing beyond chance
    assert 0 < agreement.typing < 1


def test_posts_without_answers_of_both_are_no_part_of_it():
    first = make_answers(lambda number: f"Ada{number}")

    assert compare_answers(("a", "b"), first, {"0": first["0"]}, POSTS, seed=1) is None
    assert compare_answers(("a", "b"), first, {}, POSTS, seed=1) is None
