"""`python -m flows.failure_notice URL`: have the server post a message to a webhook when a run of CoTPD fails.

Trade-off: an automation of the server's own, so that a run whose process was killed is told of, too. A second call
replaces the address; the automation stays as a person has edited it.
"""

import sys
from datetime import timedelta
from uuid import UUID

from prefect.automations import Automation, EventTrigger, Posture
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events.actions import SendNotification

from cotpd.errors import ConfigError, CotpdError
from flows.server import open_server

NAME, BLOCK = "cotpd: a run failed", "cotpd-failure"
STATES = ("Failed", "Crashed", "TimedOut", "Refused", "Rejected", "Void")  # an event is named by its state's name
_SUBJECT = "{{ flow_run.name }}: {{ flow_run.state.name }}"
_BODY = "{{ flow_run.state.message }}\n{{ flow_run|ui_url or '' }}"


def create_notice(url: str) -> None:
    """Save the webhook's address, and create the automation unless there is one of its name.

    Raises:
        ConfigError: The address is none, or the Prefect server cannot be used.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url!r} is no address of a webhook", "Name one, such as https://hooks.slack.com/...")
    message = {"text": "{{subject}}\n{{body}}"}  # as Slack and Mattermost read it
    block = CustomWebhookNotificationBlock.model_validate({"name": BLOCK, "url": url, "json_data": message})
    with open_server() as client:
        block_id = block.save(BLOCK, overwrite=True)
        assert isinstance(block_id, UUID)  # the call is a coroutine inside of an event loop alone
        if client.read_automations_by_name(NAME):
            return
    trigger = EventTrigger(
        expect={f"prefect.flow-run.{state}" for state in STATES},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.id": "prefect.tag.cotpd", "prefect.resource.role": "tag"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(),
    )
    action = SendNotification(block_document_id=block_id, subject=_SUBJECT, body=_BODY)
    Automation(name=NAME, trigger=trigger, actions=[action]).create()


if __name__ == "__main__":
    try:
        create_notice(*sys.argv[1:2] or [""])
    except CotpdError as error:
        sys.exit(f"error: {error}")
