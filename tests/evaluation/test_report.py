"""The report page: complete, self-contained, escaped, the same bytes every time."""

import re

import pytest

from cotpd.data.records import Prediction
from cotpd.evaluation.cases import cases, marked
from cotpd.evaluation.plots import write_plots
from cotpd.evaluation.report import render, write_report
from tests.evaluation.conftest import EVIL


def test_nothing_untrusted_reaches_the_page_unescaped(material):
    page = render(material)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4  # in the post, the caption, the knowledge and a quarantine reason


def test_the_page_refers_to_nothing_outside_itself_and_is_the_same_every_time(material, tmp_path):
    plots = write_plots(tmp_path, material.metrics, material.predictions, {}, "ner")
    page = render(material.__class__(**{**material.__dict__, "plots": plots}))
    assert set(re.findall(r'(?:src|href)="(.{5})', page)) == {"data:"}
    assert page == render(material.__class__(**{**material.__dict__, "plots": plots}))
    write_report(material, tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_text("utf-8") == render(material)


def test_counts_scores_and_parameters_are_told(material):
    page = render(material)
    assert "all-MiniLM-L6-v2" in page
    assert re.search(r"validate</td><td>too long .*?</td><td class=\"n\">3<", page)
    assert re.search(r"style: kept</span><span>4<", page)
    assert re.search(r"<td>train</td><td class=\"n\">1</td><td class=\"n\">2</td><td class=\"n\">1<", page)
    assert f"{100 * material.metrics['test']['student']['f1']:.2f}" in page


def test_examples_are_those_on_which_student_and_baseline_part_ways(posts, predictions):
    better, worse = cases(predictions, posts, "test", "ner")
    assert [case.post.id for case in better] == ["1"]
    assert [case.post.id for case in worse] == ["2"]
    names = [reading.name for reading in better[0].readings]
    assert names == ["annotation", "text-only baseline", "student (text alone)", "knowledge view"]
    assert better[0].readings[1].pieces == [("Ada Lovelace & Co", "")]
    assert better[0].readings[2].pieces == [("Ada Lovelace", "PER"), (" & ", ""), ("Co", "ORG")]


def test_a_relation_shows_its_pair_and_the_labels(posts):
    rows = [
        Prediction(id="1#0", split="test", model=model, gold=["r"], predicted=[label, 0.8])
        for model, label in (("baseline", "None"), ("student", "r"))
    ]
    [case], _ = cases(rows, posts, "test", "re")
    assert [reading.label for reading in case.readings] == ["r", "None", "r"]
    assert case.readings[0].pieces == [("Ada Lovelace", "head"), (" & ", ""), ("Co", "tail")]


@pytest.mark.parametrize("spans", [[], [(0, 1, "LOC")], [(0, 2, "LOC"), (1, 3, "PER")]])
def test_pieces_join_to_the_text(posts, spans):
    assert "".join(text for text, _ in marked(posts[1], spans)) == f"Paris {EVIL}"
