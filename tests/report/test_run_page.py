"""The page of a run as HTML: complete, self-contained, the same bytes every time, and clear about what is missing."""

import html
import json
import re
from dataclasses import replace

import pytest

from cotpd.errors import DataError
from cotpd.evaluation.results_table import format_p
from cotpd.evaluation.uncorrected_scores import describe_versions
from cotpd.pipeline.run_report import write_run_report
from cotpd.report.browsable_posts import list_browsable
from cotpd.report.evaluation_files import read_evaluation
from cotpd.report.plot_figures import build_differences, build_types
from cotpd.report.run_page import render_run_page
from cotpd.report.run_tables import tabulate_buckets
from cotpd.student.tasks import find_task
from tests.made_up_runs import add_remarks, make_run, write_run

OTHERS = ("buckets.json", "schemas.json", "diagnoses.json", "suspected_errors.jsonl")


def read_data(page: str):
    """Return what the page's script reads."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_says_what_was_run_and_how_it_came_out():
    material = add_remarks(make_run())

    page = render_run_page(material)

    scores = material.files.metrics["test"]
    assert f"{100 * scores['student']['f1']:.2f}" in page
    for text in ("0123456789ab", "all-MiniLM-L6-v2", "a" * 64, "at the prices of 2026-01-02", "train.epochs"):
        assert text in page
    for text in (
        "No gain",
        "unseen",
        "strict",
        "all agree",
        "Wrong, and most certain",
        "train and test share 1 text",
    ):
        assert text in page
    assert re.search(r"no text </td><td class=\"n\">1<", page)
    assert "the rewrite loses a mention" in page


def test_the_second_test_of_a_gain_stands_below_the_scores():
    material = make_run()

    page = render_run_page(material)

    gain = material.files.metrics["test"]["gain"]
    assert f"approximate randomisation gives p {format_p(gain['p_randomised'])}." in page


def test_the_cost_is_summed_by_source():
    page = render_run_page(make_run())

    assert re.search(
        r'noun</th><td class="n">2</td><td class="n">100</td><td class="n">50</td><td class="n">0.5000<', page
    )
    assert re.search(
        r'all</th><td class="n">4</td><td class="n">200</td><td class="n">100</td><td class="n">1.0000<', page
    )


def test_the_page_is_the_same_every_time_and_names_no_path_of_the_machine():
    pages = {render_run_page(add_remarks(make_run())) for _ in range(2)}

    assert len(pages) == 1
    assert "/home/me" not in pages.pop()


def test_the_page_loads_nothing():
    page = render_run_page(add_remarks(make_run()))

    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "default-src 'none'" in html.unescape(page)


def test_every_post_of_the_scored_splits_is_there_with_each_rows_prediction_and_its_evidence():
    material = make_run(12)
    all_posts = [*material.tables.posts["valid"], *material.tables.posts["test"]]

    posts = read_data(render_run_page(material))["posts"]

    assert [example["id"] for example in posts["examples"]] == [post.id for post in all_posts]
    example = posts["examples"][1]
    assert set(example["rows"]) == {"baseline", "control", "student", "knowledge"}
    assert len(example["near"]) == 2
    assert [kind for kind, _ in posts["posts"][0]["answers"]] == ["noun", "sentence", "multimodality"]
    assert len(posts["train"]) == 3


def test_marks_stand_in_the_units_of_javascript():
    material = make_run(2, texts=["\U0001f680 by [Ada](PER)"])
    post = material.tables.posts["test"][0]
    rocket = post.model_copy(update={"text": "\U0001f680" + post.text[1:]})
    material.tables.posts["test"] = [rocket]

    listing = list_browsable("ner", material.tables, material.files.predictions, [])

    example = next(member for member in listing["examples"] if member["id"] == "t0")
    start, end, _ = example["gold"]["marks"][1]
    units = rocket.text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")
    assert units == rocket.get_mention(rocket.entities[1])


def test_a_pair_is_shown_with_its_mentions_and_labels():
    posts = read_data(render_run_page(make_run(4, "re")))["posts"]

    example = posts["examples"][0]

    labels = posts["labels"]
    assert posts["pairs"]
    assert [labels[mark[2]] for mark in example["gold"]["marks"]] == ["head", "tail"]
    assert labels[example["gold"]["label"]] == "lives_in"
    assert example["rows"]["student"]["score"] == 0.75
    assert [labels[label] for label in example["rows"]["student"]["pairs"][0]] == ["lives_in", "None"]
    assert example["near"][0]["span"] is None


def test_answers_are_cut_before_the_page_becomes_too_large(monkeypatch):
    monkeypatch.setattr("cotpd.report.browsable_posts.LARGEST", 30_000)
    material = make_run(40, answer="a long answer " * 20)

    page = render_run_page(material)

    assert read_data(page)["posts"]["cut"] < 250
    assert "Answers are cut" in page


def test_a_post_without_a_pair_is_shown_without_a_prediction():
    material = make_run(4, "re")
    bare = material.tables.posts["test"][0].model_copy(update={"id": "bare", "relations": ()})
    material.tables.posts["test"].append(bare)

    posts = read_data(render_run_page(material))["posts"]

    assert posts["examples"][-1]["id"] == "bare"
    assert posts["examples"][-1]["rows"] == {}


def test_a_page_is_built_again_from_the_files_of_a_run(tmp_path):
    material = add_remarks(make_run())
    workspace = write_run(material, tmp_path)

    missing = write_run_report(workspace, tmp_path / "page.html", "ner")

    assert missing == []
    assert (tmp_path / "page.html").read_text("utf-8") == render_run_page(material)


def test_a_suspect_whose_text_holds_a_separator_of_lines_is_shown(tmp_path):
    workspace = write_run(add_remarks(make_run(4)), tmp_path)
    path = workspace.evaluation / "suspected_errors.jsonl"
    row = json.loads(path.read_text("utf-8").split("\n")[0])
    path.write_text(json.dumps(row | {"text": "one\u2028two\x85three"}, ensure_ascii=False) + "\n", "utf-8")

    assert write_run_report(workspace, tmp_path / "page.html", "ner") == []


@pytest.mark.parametrize(
    "name", [*OTHERS, "run.json", "nearest.jsonl", "explained.json", "intervals.jsonl", "plots/curves.csv"]
)
@pytest.mark.parametrize("content", [None, "{", '{"a": 3}\n{"b": 2', "\udc80".encode("utf-8", "surrogatepass")])
def test_a_file_that_is_missing_or_damaged_is_named_and_the_page_shows_the_others(tmp_path, name, content):
    workspace = write_run(add_remarks(make_run(4)), tmp_path)
    path = workspace.evaluation / name
    path.unlink() if content is None else path.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )

    missing = write_run_report(workspace, tmp_path / "page.html", "ner")

    page = (tmp_path / "page.html").read_text("utf-8")
    assert [file.name for file in missing] == [name]
    assert "Not on this page" in page
    assert f"<code>{name}</code>" in page


@pytest.mark.parametrize("content", ["{", '{"test": 3}', '{"test": {"posts": 1}}'])
def test_damaged_scores_on_uncorrected_labels_are_named(tmp_path, content):
    workspace = write_run(add_remarks(make_run(4)), tmp_path)
    (workspace.evaluation / "corrected_labels.json").write_text(content)

    missing = write_run_report(workspace, tmp_path / "page.html", "ner")

    assert [file.name for file in missing] == ["corrected_labels.json"]


def test_a_split_with_corrected_labels_shows_its_scores_on_both_versions(tmp_path):
    workspace = write_run(add_remarks(make_run(4)), tmp_path)
    version = {"posts": 7, "left_out": 0, "before": {"student": {"f1": 0.5}}, "after": {"student": {"f1": 0.6}}}
    (workspace.evaluation / "corrected_labels.json").write_text(json.dumps({"test": version}))

    write_run_report(workspace, tmp_path / "page.html", "ner")

    page = (tmp_path / "page.html").read_text("utf-8")
    assert "test: 7 posts have corrected labels" in page
    assert "student 50.00 -&gt; 60.00" in page


@pytest.mark.parametrize("table", ["prepared", "validated", "augmented"])
def test_a_table_of_the_data_that_is_missing_is_named(tmp_path, table):
    workspace = write_run(make_run(4), tmp_path)
    for path in getattr(workspace, table).iterdir():
        path.unlink()

    missing = write_run_report(workspace, tmp_path / "page.html", "ner")

    assert any(file.name.startswith(table) for file in missing)
    assert f"<code>{table}" in (tmp_path / "page.html").read_text("utf-8")


def test_without_an_evaluation_there_is_no_page(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        read_evaluation(tmp_path / "nowhere")


def test_a_run_without_a_control_and_without_records_has_a_page():
    material = make_run(4)
    rows = [row for row in material.files.predictions if row.model in ("baseline", "student")]
    files = replace(material.files, predictions=rows, record=None, nearest=[], intervals=[], curves=())

    page = render_run_page(replace(material, files=files))

    assert "Commit" not in page
    assert [row[0] for row in read_data(page)["posts"]["rows"]] == ["baseline", "student"]


@pytest.mark.parametrize("step", ["prepared", "validated", "augmented"])
def test_a_damaged_table_of_rows_set_aside_is_named_and_costs_no_other_steps_rows(tmp_path, step):
    workspace = write_run(make_run(4), tmp_path)
    (workspace.prepared.parent / step / "quarantine.jsonl").write_text("{")

    missing = write_run_report(workspace, tmp_path / "page.html", "ner")

    assert [file.name for file in missing] == [f"{step}/quarantine.jsonl"]
    page = (tmp_path / "page.html").read_text("utf-8")
    assert ("the rewrite loses a mention" in page) == (step != "augmented")


@pytest.mark.parametrize("p_holm", ["0.03", [0.03], True])
def test_a_bucket_whose_p_value_is_no_number_has_an_empty_cell(p_holm):
    material = add_remarks(make_run(4))
    material.files.buckets = [row | {"p_holm": p_holm} for row in material.files.buckets]

    page = render_run_page(material)

    assert re.search(r"\+1\.00 to \+18\.00</td><td class=\"n\"></td>", page)


def test_the_page_of_a_run_of_sentiment_says_f1_only_of_single_labels_and_macro():
    bucket = {"split": "test", "row": "student", "against": "baseline", "by": "picture", "bucket": "with"}
    figures = {"posts": 4, "mentions": 8, "score": 70.0, "score_against": 60.5, "difference": 9.5}

    [table] = tabulate_buckets([bucket | figures], find_task("sentiment"))
    differences = build_differences("b", "By bucket", find_task("sentiment").score_name, [])
    types = build_types("test", {"test": {"student": {"f1": 0.5, "per_type": {}}}}, (), find_task("sentiment"))

    assert "accuracy" in table.headings
    assert "F1" not in table.headings
    assert differences["x"] == "points of accuracy"
    assert types["groups"] == ["all (accuracy)"]


def test_corrected_labels_of_sentiment_compare_by_accuracy():
    version = {"posts": 7, "left_out": 0, "score_name": "accuracy"}
    scores = {"before": {"student": {"f1": 0.5}}, "after": {"student": {"f1": 0.6}}}

    [line] = describe_versions({"test": version | scores})

    assert "accuracy on the data set's own labels" in line
    assert "F1" not in line
