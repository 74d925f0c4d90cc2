"""`cotpd study run --quick`: a shorter study beside the whole one."""

import pytest
from typer.testing import CliRunner

from cotpd.cli.study import app
from cotpd.config import Params
from cotpd.studies.shortened import shorten_study
from cotpd.studies.study import list_studies, read_study
from cotpd.studies.verdict import read_result


@pytest.mark.parametrize("name", [path.stem for path in list_studies()])
@pytest.mark.parametrize("task", ["ner", "re"])
def test_every_study_can_be_shortened(name, task):
    base = Params(task=task)
    whole = read_study(name, base)

    shortened = shorten_study(whole, base)

    assert shortened.name == f"{name}-quick"
    assert shortened.study.seeds == whole.study.seeds[:1]
    assert shortened.study.cells == whole.study.cells
    assert {params.train.epochs for params in shortened.params.values()} == {2}


def test_what_a_cell_or_study_sets_itself_is_shortened_only_in_the_study(write_study):
    cells = [{"name": "a", "params": {"train.epochs": 9}}, {"name": "b"}]
    base = Params()

    shortened = shorten_study(read_study(write_study(cells=cells, params={"train.epochs": 7}), base), base)

    assert [shortened.params[name].train.epochs for name in "ab"] == [9, 2]


def test_layers_are_shortened_where_each_encoder_has_more(write_study):
    cells = [{"name": "a"}, {"name": "tiny", "params": {"student.layers": 2}}]
    base = Params.model_validate({"student": {"encoder": "all-MiniLM-L6-v2"}})

    shortened = shorten_study(read_study(write_study(cells=cells), base), base)

    assert [shortened.params[name].student.layers for name in ("a", "tiny")] == [3, 2]


def test_an_encoder_of_few_or_unknown_layers_and_fewer_chosen_ones_stay_as_they_are(
    write_study, encoder, tmp_path
):
    (tmp_path / "damaged").mkdir()
    chosen = [
        {"encoder": str(encoder)},
        {"encoder": str(tmp_path / "damaged")},
        {"encoder": "not/catalogued"},
        {"encoder": "all-MiniLM-L6-v2", "layers": 2},
    ]
    bases = [Params.model_validate({"student": student}) for student in chosen]
    name = write_study(cells=[{"name": "a"}])

    shortened = [shorten_study(read_study(name, base), base) for base in bases]

    assert [study.params["a"].student.layers for study in shortened] == [None, None, None, 2]


@pytest.mark.slow
def test_its_result_leaves_the_whole_ones_alone_and_says_what_was_shortened(project, write_study, monkeypatch):
    monkeypatch.setattr("cotpd.studies.shortened.QUICK_PARAMS", {"baseline.epochs": 2})
    name = write_study(cells=[{"name": "text", "model": "baseline"}], seeds=[1, 2])

    run = CliRunner().invoke(app, ["run", name, "--quick"])

    result = read_result(project / "studies/mine-quick/result.json")
    assert run.exit_code == 0
    assert (result.seeds, dict(result.params)) == ((1,), {"baseline.epochs": 2})
    assert "All cells: baseline.epochs: 2." in (project / "studies/mine-quick/study.md").read_text("utf-8")
    assert not (project / "studies/mine").exists()
    assert "One seed: " in CliRunner().invoke(app, ["show", name, "--quick"]).stdout
