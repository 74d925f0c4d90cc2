"""Versions of a model on a server that many projects share."""

import pytest

from cotpd.doctor.services import check_registry
from cotpd.errors import ModelError
from cotpd.registry import versions
from cotpd.registry.versions import find_version, list_versions
from tests.registry.move_helpers import NAME


@pytest.fixture
def crowd(client):
    """The same registry with more models than MLflow returns at once by itself."""
    for number in range(101):
        client.create_registered_model(f"another-{number:03}")
    return client


def test_a_model_behind_a_hundred_others_is_found(crowd):
    assert [version.number for version in list_versions(crowd, NAME)] == [1, 2, 3, 4]


def test_the_doctor_sees_the_aliases_of_a_model_behind_a_hundred_others(crowd, project, params):
    crowd.set_registered_model_alias(NAME, "champion", "2")

    findings = check_registry(params["ner"], project)

    assert f"{NAME}: champion is version 2" in [finding.message for finding in findings]


def test_versions_on_a_second_page_are_listed(client, monkeypatch):
    monkeypatch.setattr(versions, "_PAGE", 3)

    assert find_version(client, NAME, "1").number == 1
    assert len(list_versions(client, NAME)) == 4


def test_a_model_that_is_not_there_is_named_with_those_that_are(client):
    with pytest.raises(ModelError) as error:
        list_versions(client, "cotpd-re")

    assert error.value.remedy == f"Registered: {NAME}."
