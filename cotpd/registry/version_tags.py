"""The tag that a version gets when it becomes champion, for those who look at the version in MLflow."""

from cotpd.escaping import make_printable
from cotpd.registry.move_log import shorten
from cotpd.registry.moves import Move

_LONGEST_REASON = 200


def format_move_tag(move: Move) -> tuple[str, str]:
    """Return key and value of the tag; the record has the whole entry."""
    after = "" if move.from_version is None else f", after version {move.from_version}"
    reason = f": {shorten(move.reason, _LONGEST_REASON)}" if move.reason else ""
    text = f"{move.kind} by {move.who} at {move.when}{after}{reason}"
    storable = text.encode("utf-8", "replace").decode()  # a command line may hold half a character
    return f"move.{move.number:06}", make_printable(storable)
