"""A notice of failed runs: one automation for runs of CoTPD, and an address that is checked."""

import pytest

from cotpd.errors import ConfigError
from flows.failure_notice import NAME, create_notice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_second_call_makes_no_second_automation(prefect_server) -> None:
    from prefect.client.orchestration import get_client

    create_notice("https://hooks.example/first")

    create_notice("https://hooks.example/second")

    with get_client(sync_client=True) as client:
        (automation,) = client.read_automations_by_name(NAME)
    trigger = automation.trigger.model_dump(mode="json")
    assert "prefect.flow-run.Crashed" in trigger["expect"]
    assert trigger["match_related"]["prefect.resource.id"] == "prefect.tag.cotpd"


@pytest.mark.parametrize("address", ["", "hooks.example", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a webhook"):
        create_notice(address)


def test_a_server_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")

    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(ConfigError, match=r"no Prefect server answers at http://127.0.0.1:9/api"),
    ):
        create_notice("https://hooks.example/first")


def test_no_server_is_started_where_none_is_named() -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigError, match="no Prefect server is named"),
    ):
        create_notice("https://hooks.example/first")
