"""Study files: those that come with the package, and what is refused, with file, line and the name that was meant."""

import pytest
import yaml

from cotpd.config import Params
from cotpd.errors import ConfigError
from cotpd.studies.study import list_studies, read_study

NAMES = [path.stem for path in list_studies()]
CELLS = [{"name": "a"}, {"name": "b", "model": "baseline"}]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["ner", "re"])
def test_every_study_that_comes_with_the_package_is_valid_on_the_default_parameters(name, task):
    named = read_study(name, Params(task=task))

    assert named.study.comparisons
    assert set(named.params) == {cell.name for cell in named.study.cells}


def test_the_package_has_the_studies_that_the_method_asks_for():
    asked_for = {"knowledge", "ablation", "text-only", "cross-domain", "data-efficiency", "student-size"}

    assert asked_for | {"knowledge-quality", "alignment"} <= set(NAMES)


def test_a_cell_overrides_the_study_and_the_study_the_project(write_study):
    cells = [{"name": "a"}, {"name": "b", "params": {"distil.alpha": 3.0}, "data": {"kinds": ["noun"]}}]
    name = write_study(cells=cells, params={"distil.alpha": 2.0}, data={"caption": False})
    base = Params.model_validate({"train": {"epochs": 5}, "distil": {"alpha": 1.0}})

    named = read_study(name, base)

    assert [named.params[cell].distil.alpha for cell in ("a", "b")] == [2.0, 3.0]
    assert {named.params[cell].train.epochs for cell in ("a", "b")} == {5}
    assert named.study.list_changes(named.study.cells[1]).caption is False
    assert named.study.list_changes(named.study.cells[1]).kinds == ("noun",)


def test_nested_sections_change_what_they_name_and_nothing_beside_it(write_study):
    cells = [{"name": "a", "params": {"distil": {"alpha": 3.0}, "train.epochs": 4, "teach": {}}}]
    base = Params.model_validate({"distil": {"gold": 0.25}})

    named = read_study(write_study(cells=cells), base)

    distil = named.params["a"].distil
    assert (distil.alpha, distil.gold, named.params["a"].train.epochs) == (3.0, 0.25, 4)


def test_a_study_is_not_named_as_the_cache_beside_its_results(write_study):
    with pytest.raises(ConfigError, match=r"cache\.yaml: "):
        read_study(write_study("cache", cells=CELLS), Params())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sedes": [1]}, r"mine.yaml:\d+: sedes: there is no such parameter; did you mean seeds\?"),
        ({"cells": [{"name": "a", "modl": "x"}]}, r"cells.0.modl: .*did you mean model\?"),
        ({"cells": [{"name": "a", "data": {"lables": 1}}]}, r"cells.0.data.lables: .*did you mean labels\?"),
        ({"data_sets": {"x": {"projet": "."}}}, r"data_sets.x.projet: .*did you mean project\?"),
        ({"cells": []}, "cells: "),
        ({"seeds": []}, "seeds: "),
        ({"seeds": [1, 1]}, "seeds: .*given twice"),
        ({"split": "train"}, "split: "),
        ({"cells": [{"name": "a", "data": {"labels": 0}}]}, "cells.0.data.labels: "),
        ({"cells": [{"name": "a", "data": {"kinds": ["style"]}}]}, "cells.0.data.kinds.0: "),
        ({"cells": [{"name": "a"}, {"name": "a"}]}, r"cells.1.name: there are two cells 'a'"),
        ({"cells": [{"name": "a", "params": {"distil.alpa": 1}}]}, r"mine.yaml:\d+: cells.0.params.distil.alpa: cell 'a': .*did you mean alpha\?"),
        ({"cells": [{"name": "a", "params": {"distil": {"alpa": 1}}}]}, r"distil.alpa: .*did you mean alpha\?"),
        ({"cells": [{"name": "a", "params": [1]}]}, "cells.0.params: "),
        ({"params": 3}, "params: "),
        ({"cells": [{"name": "a", "params": {"distill.alpha": 1}}]}, r"did you mean distil\?"),
        ({"cells": [{"name": "a", "params": {"train.epochs": 0}}]}, r"cell 'a': Input should be .*found 0"),
        ({"cells": [{"name": "a", "params": {"ask.kinds": []}}]}, "cell 'a': not a parameter of student"),
        ({"params": {"train.epochs": "many"}}, r"params.train.epochs: .*found 'many'"),
        ({"cells": [{"name": "a", "train_on": "hre"}]}, r"there is no data set 'hre'; did you mean here\?"),
        ({"comparisons": [{"first": "a", "second": "bb", "claim": "x"}]}, r"comparisons.0.second: there is no cell 'bb'; did you mean b\?"),
        ({"comparisons": [{"first": "a", "second": "a", "claim": "x"}]}, "compared with itself"),
        ({"comparisons": [{"first": "a", "second": "b", "claim": "x"}, {"first": "b", "second": "a", "claim": "y"}]}, "comparisons.1: 'b' and 'a' are compared twice"),
        ({"comparisons": ["a over b"]}, "comparisons.0: Input should be a mapping"),
        ({"question": "   "}, "mine.yaml:1: question: String should have at least 1 character"),
        ({"question": 3}, "question: Input should be text, in quotes .*found 3"),
        ({"cells": [{"name": "a"}, {"name": " a "}]}, "there are two cells 'a'"),
        ({"cells": [{"name": " "}]}, "cells.0.name: "),
        ({"cells": [{"name": "<b>"}]}, "cells.0.name: a name may hold letters.*found '<b>'"),
        ({"cells": [{"name": "a|b"}]}, "cells.0.name: a name may hold letters"),
        ({"cells": [{"name": "a\nb"}]}, "cells.0.name: a name may hold letters"),
        ({"cells": [{"name": "a" * 81}]}, "cells.0.name: .*at most 80"),
        ({"cells": [{"name": 2017}]}, "cells.0.name: Input should be text, in quotes .*found 2017"),
        ({"cells": [{"name": False}]}, "cells.0.name: .*in quotes .*found false"),
        ({"cells": [None]}, "cells.0: Input should be a mapping.*found null"),
        ({"cells": {"a": {}}}, "cells: Input should be a list"),
        ({"cells": [{"name": "a", "model": "studnet"}]}, r"cells.0.model: .*did you mean student\?"),
        ({"cells": [{"name": "a", "data": {"kinds": ["nuon"]}}]}, r"cells.0.data.kinds.0: .*did you mean noun\?"),
        ({"cells": [{"name": "a", "data": None}]}, "cells.0.data: Input should be a mapping"),
        ({"split": "tset"}, r"split: .*did you mean test\?"),
        ({"seeds": 13}, r"seeds: Input should be a list: \[a, b\] \(found 13\)"),
        ({"seeds": [-1]}, "seeds.0: .*greater than or equal to 0"),
        ({"seeds": [True]}, "seeds.0: Input should be a whole number .found true"),
        ({"seeds": [1.5]}, "seeds.0: Input should be a whole number"),
        ({"data_sets": {2017: {}}}, "data_sets.2017"),
        ({"params": {"distil": {"alpha": 1}, "distil.alpha": 2}}, "params: distil.alpha is given twice"),
        ({"params": {"distil": 3, "distil.alpha": 2}}, r"params.distil.alpha: distil has a value \(3\)"),
        ({"params": {"distil.alpha.x": 2}}, "params.distil.alpha: Input should be a valid number"),
        ({"params": {"distil.alpha": 1}, "cells": [{"name": "a", "params": {"distil.alpha.x": 2}}]}, r"cells.0.params.distil.alpha.x: cell 'a': distil.alpha has a value \(1\)"),
        ({"params": {"": 2}}, "params.: not a parameter of student"),
        ({"params": {"seed": 2}}, "params.seed: not a parameter of student"),
        ({"params": {"teach.seed": -1}}, "params.teach.seed: teach.seed: -1 is negative"),
        ({"cells": [{"name": "a", "params": {"teach.encoder": "x", "distil.start": "teacher"}}]}, "cell 'a': distil.start teacher needs teachers"),
    ],
)  # fmt: skip
def test_what_a_file_gets_wrong_is_named_with_its_line(write_study, changes, message):
    name = write_study(**{"cells": CELLS} | changes)

    with pytest.raises(ConfigError, match=message) as raised:
        read_study(name, Params())

    assert "docs/studies.md" in str(raised.value)


def test_a_refused_cell_is_named_once_and_not_as_a_list_that_is_too_short_too(write_study):
    with pytest.raises(ConfigError) as raised:
        read_study(write_study(cells=[{"name": "a", "modle": "x"}]), Params())

    assert raised.value.problem.count("\n") == 0
    assert "did you mean model?" in raised.value.problem


def test_a_missing_key_is_named_without_a_line_and_without_the_whole_file(write_study, tmp_path):
    (tmp_path / "mine.yaml").write_text("cells: [{name: a}]\n", "utf-8")

    with pytest.raises(ConfigError) as raised:
        read_study(str(tmp_path / "mine.yaml"), Params())

    assert raised.value.problem == f"{tmp_path / 'mine.yaml'}: question: this key is missing"


@pytest.mark.parametrize("text", ["distil.alpa: 1", "distil:\n        alpa: 1"])
def test_a_parameter_is_found_in_its_line_by_dotted_name_and_in_a_section(tmp_path, text):
    lines = f"question: x?\ncells:\n  - name: a\n    params:\n      train.epochs: 3\n      {text}\n"
    (tmp_path / "mine.yaml").write_text(lines, "utf-8")

    with pytest.raises(ConfigError, match=rf"mine.yaml:{lines.count(chr(10))}: .*alpa"):
        read_study(str(tmp_path / "mine.yaml"), Params())


def test_every_mistake_of_a_file_is_named_at_once(write_study):
    cells = [{"name": "a", "params": {"distil.alpa": 1}}, {"name": "b", "params": {"train.epochs": 0}}]

    with pytest.raises(ConfigError) as raised:
        read_study(write_study(cells=cells), Params())

    assert "cell 'a'" in raised.value.problem
    assert "cell 'b'" in raised.value.problem


def test_cells_that_are_tested_on_different_posts_are_not_compared(write_study):
    cells = [{"name": "a", "test_on": "y"}, {"name": "b", "test_on": "x"}]
    comparisons = [{"first": "a", "second": "b", "claim": "x"}]

    with pytest.raises(ConfigError, match="tested on different data sets"):
        read_study(write_study(cells=cells, comparisons=comparisons, data_sets={"x": {}, "y": {}}), Params())


def test_parameters_that_are_valid_but_do_not_fit_together_name_their_cell(write_study):
    cells = [{"name": "odd", "params": {"teach.encoder": "all-mpnet-base-v2"}}]
    base = Params.model_validate({"distil": {"start": "teacher"}})

    with pytest.raises(
        ConfigError, match=r"mine.yaml: cell 'odd': .*distil.start teacher needs teachers of the student's encoder"
    ):
        read_study(write_study(cells=cells), base)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "null",
        "word",
        "[1, 2]",
        "question: [",
        "question: a\nquestion: b",
        "a: b: c",
        "x: !y z",
        "\0",
        b"\xff",
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path, text):
    (tmp_path / "mine.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ConfigError, match=r"mine.yaml"):
        read_study(str(tmp_path / "mine.yaml"), Params())


@pytest.mark.parametrize("name", ["", ".", "a" * 300, "no\0file", "folder/none.yaml"])
def test_a_name_that_no_file_can_have_is_refused_like_any_unknown_study(name):
    with pytest.raises(ConfigError, match=r"there is no study .*\n.*Known ones: ablation"):
        read_study(name, Params())


def test_an_unknown_study_names_the_one_that_was_meant():
    with pytest.raises(ConfigError, match=r"no study 'knowlege'; did you mean knowledge\?\n.*ablation"):
        read_study("knowlege", Params())


@pytest.mark.parametrize("name", NAMES)
def test_a_study_is_written_so_that_its_first_comparison_answers_its_question(name):
    values = yaml.safe_load(next(path for path in list_studies() if path.stem == name).read_text("utf-8"))

    assert values["question"].endswith("?")
    assert {"first", "second", "claim"} == set(values["comparisons"][0])
