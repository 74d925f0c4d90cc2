"""Where suites are read from: a project's own folder first, then the package."""

import json
from pathlib import Path

import pytest

from cotpd.errors import ConfigError
from cotpd.expectations import suites
from cotpd.expectations.suites import find_suites_folder, load_suite

OWN_SUITE = {
    "expectations": [
        {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "text"},
            "meta": {"reason": "our own rule"},
        }
    ]
}


def test_a_project_without_suites_takes_those_of_the_package(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)

    suite = load_suite("answers")

    assert suite.file == root / "expectations/answers.json"
    assert len(suite.suite.expectations) > 5


def test_an_installed_package_has_its_own_copy(tmp_path, monkeypatch):
    (tmp_path / "cotpd/suites").mkdir(parents=True)
    (tmp_path / "expectations").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(suites, "_PACKAGE", tmp_path / "cotpd")

    folder = find_suites_folder()

    assert folder == tmp_path / "cotpd/suites"


def test_a_projects_own_suites_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("expectations").mkdir()
    Path("expectations/answers.json").write_text(json.dumps(OWN_SUITE))

    suite = load_suite("answers")

    assert suite.file == Path("expectations/answers.json")
    assert [expectation.meta["reason"] for expectation in suite.suite.expectations] == ["our own rule"]


def test_a_suite_that_the_projects_folder_lacks_is_named_with_both_remedies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("expectations").mkdir()

    with pytest.raises(ConfigError, match=r"^expectations/captions\.json: there is no such suite") as caught:
        load_suite("captions")

    assert caught.value.remedy.startswith("Write it, or remove expectations/")
