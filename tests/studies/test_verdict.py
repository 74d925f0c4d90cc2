"""What a result says: sentences with intervals, what a point costs, and pages in which no text is markup."""

import pytest

from cotpd.errors import DataError
from cotpd.student.tasks import RePrediction
from cotpd.studies import picture
from cotpd.studies.answer_agreement import Agreement
from cotpd.studies.picture import draw_study
from cotpd.studies.report_page import list_notes, render_markdown, tabulate_verdicts
from cotpd.studies.study import Cell, Comparison, Study
from cotpd.studies.verdict import CellResult, StudyResult, describe_verdict, judge, read_result, write_result


def build_table(right_count, seeds=(1, 2), posts=60):
    return {
        seed: [
            RePrediction(id=f"{post}#0", split="test", model="student", gold=["r"], predicted=[label, 0.9])
            for post, label in enumerate(["r"] * right_count + ["s"] * (posts - right_count))
        ]
        for seed in seeds
    }


@pytest.fixture
def study():
    cells = [Cell(name="good"), Cell(name="bad"), Cell(name="gone")]
    pairs = [("good", "bad"), ("bad", "good"), ("good", "gone")]
    comparisons = [Comparison(first=first, second=second, claim=f"{first} | {second}") for first, second in pairs]
    return Study(question="Why <b>?", cells=tuple(cells), comparisons=tuple(comparisons), seeds=(1, 2))


@pytest.fixture
def result(study):
    cells = [
        CellResult(name="good", model="student", sees="text", answers=120, posts=60, f1={1: 0.9, 2: 0.8}),
        CellResult(name="bad", model="baseline", sees="text", posts=40, f1={1: 0.5, 2: 0.4}),
        CellResult(name="gone", model="control", sees="text", problem="failed: out of <memory>"),
    ]
    tables = {"good": build_table(50), "bad": build_table(30)}
    verdicts = judge(study, cells, tables, seed=1, answer_price=0.001)
    return StudyResult(
        study="mine",
        question=study.question,
        task="re",
        split="test",
        seeds=(1, 2),
        encoder="tiny",
        answer_price=0.001,
        cells=tuple(cells),
        verdicts=tuple(verdicts),
    )


def test_the_answer_is_a_sentence_with_its_interval_and_what_a_point_costs(result):
    first = result.verdicts[0]

    assert result.answer.startswith("good | bad: +")
    assert f"95 % interval {100 * first.low:+.2f} to {100 * first.high:+.2f} over posts and seeds" in result.answer
    assert "after Holm" in result.answer
    assert f"The answers cost ${0.12 / (100 * first.gain):,.4g} a point." in result.answer


def test_the_spread_over_sources_is_of_the_compared_cells_alone_and_stands_beside_that_of_the_seeds(result):
    figures = {"words": 0.5, "by_chance": 0.1, "corrected": 0.4, "low": 0.3, "high": 0.5}
    cells = (*result.cells, CellResult(name="degraded", model="student", sees="text", f1={1: 0.1, 2: 0.1}))
    agreement = Agreement(first="good", second="bad", posts=5, mentions=0, **figures)

    notes = list_notes(result.model_copy(update={"cells": cells, "agreements": (agreement,)}))

    [spread] = [note for note in notes if "sources of answers" in note]
    assert "over 2 sources of answers: 45.00 to 85.00, standard deviation 28.28" in spread
    assert spread.endswith("over the seeds of one source 7.07.")


def test_a_difference_on_very_few_posts_is_not_called_certain(result):
    cells = tuple(cell.model_copy(update={"posts": 1}) for cell in result.cells)

    of_few_posts = result.model_copy(update={"cells": cells})

    assert of_few_posts.answer.endswith("Fewer than 20 test posts say little, however narrow the interval.")
    assert "on 1 post of test" in " ".join(list_notes(of_few_posts))


def test_a_loss_has_no_price_and_a_cell_without_figures_is_named(result):
    rows = tabulate_verdicts(result).rows

    assert result.verdicts[1].dollars is None
    assert rows[2][3] == "not tested: gone has no figures"


def test_one_seed_and_an_unknown_price_are_said(result):
    single = result.model_copy(update={"seeds": (1,), "answer_price": None})

    notes = " ".join(list_notes(single))

    assert "on 40 or 60 posts of test" in notes
    assert "posts alone" in notes
    assert "One seed: " in notes
    assert "No price is known" in notes


def test_a_difference_that_may_be_chance_is_called_so(study):
    tables = {"good": build_table(31), "bad": build_table(30)}
    cells = [CellResult(name=name, model="student", sees="text", f1={1: 0.5}) for name in ("good", "bad", "gone")]

    verdicts = judge(study, cells, tables, seed=1)

    result = StudyResult(
        study="s",
        question="q",
        task="re",
        split="test",
        seeds=(1, 2),
        cells=(),
        verdicts=tuple(verdicts),
    )
    assert "it cannot be told from chance." in result.answer


def test_cells_that_are_the_same_trainings_are_not_compared(study):
    table = build_table(30)
    cells = [CellResult(name=name, model="student", sees="text", f1={1: 0.5}) for name in ("good", "bad", "gone")]

    verdicts = judge(study, cells, {"good": table, "bad": table}, seed=1)

    assert "the same trainings" in verdicts[0].problem


def test_no_text_of_a_study_is_markup_on_its_page(result):
    page = render_markdown(result, "picture.png")

    assert "out of &lt;memory&gt;" in page
    assert "good \\| bad" in page
    assert "<b>" not in page


def test_a_result_is_read_as_it_was_written_and_drawn_without_cells_too(result, tmp_path):
    write_result(result, tmp_path / "result.json")

    assert read_result(tmp_path / "result.json") == result
    for drawn in (result, result.model_copy(update={"cells": (), "verdicts": ()})):
        assert draw_study(drawn, tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_equal_figures_has_no_axis_of_millionths_and_no_label_that_takes_its_room(
    result, monkeypatch, tmp_path
):
    figures = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, path: figures.append(figure) or path)
    equal = {"gain": 0.0, "low": 0.0, "high": 0.0, "claim": "a long claim " * 20}
    verdicts = (result.verdicts[0].model_copy(update=equal),)
    cells = (result.cells[0].model_copy(update={"f1": {1: 0.5}}),)

    draw_study(result.model_copy(update={"cells": cells, "verdicts": verdicts}), tmp_path / "picture.png")

    [scores, gains] = figures[0].axes
    for axis, middle in ((scores, 50), (gains, 0)):
        low, high = axis.get_xlim()
        assert low <= middle - 0.5 < middle + 0.5 <= high
    [label] = gains.get_yticklabels()
    assert max(map(len, label.get_text().split("\n"))) <= 34
    assert label.get_text().count("\n") == 1


def test_a_difference_that_rounds_to_nothing_has_no_minus(result):
    verdict = result.verdicts[0].model_copy(update={"low": -0.00001})

    sentence = describe_verdict(verdict, result)

    assert "interval +0.00 to" in sentence


@pytest.mark.parametrize("content", [b"{}", b"[", b"\xff"])
def test_a_result_that_was_edited_is_refused(tmp_path, content):
    (tmp_path / "result.json").write_bytes(content)

    with pytest.raises(DataError, match="not what a study writes"):
        read_result(tmp_path / "result.json")


def test_a_small_price_is_written_out(result) -> None:
    notes = " ".join(list_notes(result.model_copy(update={"answer_price": 0.0000123})))

    assert "An answer costs $0.0000123," in notes
