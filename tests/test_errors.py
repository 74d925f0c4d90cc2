"""The tree in errors.py is the tree of the classes."""

import importlib
import pkgutil
import re

import cotpd
from cotpd import errors
from cotpd.errors import CotpdError

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
