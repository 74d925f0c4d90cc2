"""`cotpd study run --quick`: a shorter study beside the whole one."""

import pytest
from typer.testing import CliRunner

from cotpd.cli.study import app
from cotpd.config import Params
from cotpd.studies.schedule import QUICK_PARAMS, shorten_study
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


@pytest.mark.slow
def test_its_result_leaves_the_whole_ones_alone_and_says_what_was_shortened(project, write_study, monkeypatch):
    monkeypatch.setattr("cotpd.studies.schedule.QUICK_PARAMS", {"baseline.epochs": 2})
    name = write_study(cells=[{"name": "text", "model": "baseline"}], seeds=[1, 2])

    run = CliRunner().invoke(app, ["run", name, "--quick"])

    result = read_result(project / "studies/mine-quick/result.json")
    assert run.exit_code == 0
    assert (result.seeds, dict(result.params)) == ((1,), {"baseline.epochs": 2})
    assert "`baseline.epochs: 2`" in (project / "studies/mine-quick/study.md").read_text("utf-8")
    assert not (project / "studies/mine").exists()
    assert "One seed: " in CliRunner().invoke(app, ["show", name, "--quick"]).stdout
    assert "student.layers" in QUICK_PARAMS
