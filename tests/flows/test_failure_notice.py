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
