"""The tree in errors.py is the tree of the classes."""

import importlib
import pkgutil
import re

import cotpd
from cotpd import errors
from cotpd.errors import CotpdError, find_remedy_in_project

BRANCH = re.compile(r"^ {4}(?:[│ ] {3})*[├└]── (\w+)", re.MULTILINE)


def list_subclasses(error: type[CotpdError]) -> list[str]:
    """Return the names of all classes below one, in the order of a tree."""
    names = []
    for subclass in error.__subclasses__():
        if subclass.__module__.startswith("cotpd."):
            names += [subclass.__name__, *list_subclasses(subclass)]
    return names


def test_the_drawn_tree_names_every_error_with_a_remedy() -> None:
    for module in pkgutil.walk_packages(cotpd.__path__, "cotpd."):
        if module.name.startswith(("cotpd.llm.", "cotpd.data.", "cotpd.weights.", "cotpd.registry.")):
            importlib.import_module(module.name)

    assert sorted(BRANCH.findall(errors.__doc__ or "")) == sorted(list_subclasses(CotpdError))


def test_outside_of_a_project_the_remedy_is_to_go_to_one(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    advice = find_remedy_in_project("dvc repro")

    assert str(tmp_path) in advice
    assert "cotpd init" in advice
    assert "dvc repro" not in advice


def test_inside_of_a_project_the_remedy_stays(tmp_path, monkeypatch) -> None:
    (tmp_path / "params.yaml").touch()
    monkeypatch.chdir(tmp_path)

    advice = find_remedy_in_project("Run the step that writes it: dvc repro")

    assert advice == "Run the step that writes it: dvc repro"
