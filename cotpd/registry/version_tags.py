"""Tags of a version that show the decisions about it on its page in MLflow."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cotpd.escaping import make_printable
from cotpd.registry.move_log import shorten
from cotpd.registry.moves import Move
from cotpd.registry.tracking_store import explain_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST_REASON = 200


def format_move_tag(move: Move) -> tuple[str, str]:
    """Return key and value of the tag; the record has the whole entry."""
    after = "" if move.from_version is None else f", after version {move.from_version}"
    reason = f": {shorten(move.reason, _LONGEST_REASON)}" if move.reason else ""
    text = f"{move.kind} by {move.who} at {move.when}{after}{reason}"
    storable = text.encode("utf-8", "replace").decode()  # a command line may hold half a character
    return f"move.{move.number:06}", make_printable(storable)


def record_rejection(client: "MlflowClient", name: str, version: int, *, person: str, reason: str) -> str:
    """Tag a version that a person has refused to promote; return the tag's text.

    Raises:
        ModelError: The registry cannot be reached or written.
    """
    now = datetime.now(UTC)
    words = f": {shorten(reason, _LONGEST_REASON)}" if reason else ""
    text = make_printable(f"rejected by {person} at {now.isoformat(timespec='seconds')}{words}")
    with explain_errors(f"models:/{name}/{version}", "The registry must be reachable and writable."):
        client.set_model_version_tag(name, str(version), f"rejection.{now:%Y%m%dT%H%M%S%f}", text)
    return text
