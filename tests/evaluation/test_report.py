"""The report page: complete, self-contained, escaped, the same bytes every time."""

import re
from dataclasses import replace

import pytest

from cotpd.evaluation.disagreements import find_disagreements, mark_spans
from cotpd.evaluation.explanation import Claim, Explanation, Look, Looks, Marked, Support
from cotpd.evaluation.plots import write_plots
from cotpd.evaluation.report import render_report, write_report
from cotpd.evaluation.showcase import Explained, Pick
from cotpd.student.tasks import PredictedMention, RePrediction
from tests.evaluation.untrusted import EVIL


def test_nothing_untrusted_reaches_the_page_unescaped(material):
    page = render_report(material)

    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4  # in the post, the caption, the knowledge and a quarantine reason


def test_the_page_refers_to_nothing_but_pictures_inside_it_and_the_data_docs_beside_it(material, tmp_path):
    plots = write_plots(tmp_path, material.metrics, material.predictions, {}, "ner")

    page = render_report(replace(material, plots=plots))

    assert set(re.findall(r'(?:src|href)="(.{5})', page)) == {"data:", "../ch"}


def test_the_page_is_the_same_every_time(material, tmp_path):
    plots = write_plots(tmp_path, material.metrics, material.predictions, {}, "ner")

    pages = {render_report(replace(material, plots=plots)) for _ in range(2)}

    assert len(pages) == 1


def test_the_page_is_written_with_its_folder(material, tmp_path):
    write_report(material, tmp_path / "deep" / "report.html")

    assert (tmp_path / "deep" / "report.html").read_text("utf-8") == render_report(material)


def test_counts_scores_and_parameters_are_told(material):
    page = render_report(material)

    assert "all-MiniLM-L6-v2" in page
    assert re.search(r"validate</td><td>too long .*?</td><td class=\"n\">3<", page)
    assert re.search(r"style: kept</span><span>4<", page)
    assert re.search(r"<td>train</td><td class=\"n\">1</td><td class=\"n\">2</td><td class=\"n\">1<", page)
    assert f"{100 * material.metrics['test']['student']['f1']:.2f}" in page


def test_examples_are_those_on_which_student_and_baseline_part_ways(posts, predictions):
    better, worse = find_disagreements(predictions, posts, "test")

    assert [case.post.id for case in better] == ["1"]
    assert [case.post.id for case in worse] == ["2"]

    names = [reading.name for reading in better[0].readings]

    assert names == ["annotation", "text-only baseline", "student (text alone)", "knowledge view"]
    assert better[0].readings[1].pieces == [("Ada Lovelace & Co", "")]
    assert better[0].readings[2].pieces == [("Ada Lovelace", "PER"), (" & ", ""), ("Co", "ORG")]


def test_a_relation_shows_its_pair_and_the_labels(posts):
    rows = [
        RePrediction(id="1#0", split="test", model=model, gold=["r"], predicted=[label, 0.8])
        for model, label in (("baseline", "None"), ("student", "r"))
    ]

    [case], _ = find_disagreements(rows, posts, "test")

    assert [reading.label for reading in case.readings] == ["r", "None", "r"]
    assert case.readings[0].pieces == [("Ada Lovelace", "head"), (" & ", ""), ("Co", "tail")]


@pytest.mark.parametrize("spans", [[], [(0, 1, "LOC")], [(0, 2, "LOC"), (1, 3, "PER")]])
def test_pieces_join_to_the_text(posts, spans):
    assert "".join(text for text, _ in mark_spans(posts[1], spans)) == f"Paris {EVIL}"


@pytest.fixture
def explained(posts):
    """A wrong prediction in a post that means harm, with a training post and a chain that do so too."""
    text = posts[1].text
    mark = Marked(0, 5, "Paris", "PER")
    support = Support("t1", 0.5, "PER", f"Ada {EVIL}", [Marked(0, 3, "Ada", "PER")], {"noun": f"a name {EVIL}"})
    words = [Look(0, 5, "Paris", 0.2), Look(6, 13, text[6:13], 0.4)]
    explanation = Explanation("2", text, [Claim("PER", 0.75, [mark], [support])], Looks(words, 0.4, []))
    return Explained(Pick("2", PredictedMention(0, 1, "PER", 0.75), ()), explanation, f"no entity {EVIL}")


def render_with(material, explained):
    return render_report(replace(material, explained={"Wrong": [explained]}))


def test_explained_predictions_are_shown_with_their_chain_and_all_of_it_escaped(material, explained):
    page = render_with(material, explained)

    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= render_report(material).count("&lt;script&gt;") + 3
    assert '<span class="at" style="background:rgba(245,158,11,0.38)">Paris</span>' in page
    assert "<mark>Ada<small>PER</small></mark>" in page
    assert "reads no prompts" not in page


def test_a_student_without_prompts_is_shown_without_colours(material, explained):
    bare = replace(explained.explanation, attention=None)
    page = render_with(material, explained._replace(explanation=bare))

    assert "reads no prompts" in page
    assert '<span class="at">Paris</span>' in page


def test_reliability_is_told_for_each_row(material):
    page = render_report(material)

    assert re.search(
        r"<td>test</td><td>student \(text alone\)</td><td class=\"n\">2</td><td class=\"n\">90.00<", page
    )
