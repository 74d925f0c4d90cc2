"""Writing the aliases of a recorded move: in its entry's transaction, or one by one and then compared.

The rules by which slow and killed processes do no harm are at the head of cotpd.registry.alias_state.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cotpd.liveness import name_process
from cotpd.registry.alias_state import (
    SEEN,
    SUPERSEDED,
    Situation,
    find_base,
    is_under_way,
    read_aliases,
    read_situation,
)
from cotpd.registry.atomic_move import append_with_aliases, has_database
from cotpd.registry.move_log import MoveLog
from cotpd.registry.moves import CHAMPION, PREVIOUS, AliasState, Move, MoveKind, name_user
from cotpd.registry.version_tags import format_move_tag

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PATIENCE = 60.0  # seconds for a later move to finish; then the next command compares again
_PAUSE = 0.05  # seconds between two looks


def write_move(log: MoveLog, moves: Sequence[Move], before: AliasState) -> bool:
    """Record a move and write its aliases.

    Args:
        log: The record.
        moves: The entries to append: the move, and before it a move outside cotpd if there was one.
        before: The aliases as they were read.

    Returns:
        False if nothing was changed, because another process was first.
    """
    if has_database(log.client):
        return append_with_aliases(log, [replace(move, is_atomic=True) for move in moves], before)
    if read_aliases(log.client, log.name) != before:
        return False
    if not all(log.append(move) for move in moves):
        return False
    finish_move(log, moves[-1])
    return True


def finish_move(log: MoveLog, move: Move) -> None:
    """Write the aliases of a recorded move one by one until they agree with the record, then sign its entry."""
    has_written = False
    while (moves := log.read())[-1].number == move.number:
        if read_aliases(log.client, log.name) == move.state:
            log.sign(move, SEEN)
            return
        write_aliases(log, moves)
        has_written = True

    if not has_written or _wait_for_agreement(log):
        log.sign(move, SUPERSEDED)


def write_aliases(log: MoveLog, moves: Sequence[Move]) -> None:
    """Write the aliases of the last move, and the tags of the moves whose writing may have been cut short."""
    client, state = log.client, moves[-1].state
    for move in moves[find_base(moves) + 1 :]:
        tag, text = format_move_tag(move)
        client.set_model_version_tag(log.name, str(move.to_version), tag, text)

    # previous first, or a killed process could leave a champion without a way back
    for alias, number in ((PREVIOUS, state.previous), (CHAMPION, state.champion)):
        if number is None:
            client.delete_registered_model_alias(log.name, alias)
        else:
            client.set_registered_model_alias(log.name, alias, str(number))


def repair_aliases(client: "MlflowClient", name: str) -> Move | None:
    """Write the aliases that a killed process has left behind the record; the repair is recorded, too.

    Returns:
        The entry of the repair; None if there is nothing to repair, or the process of the move still writes.
    """
    log = MoveLog.find(client, name)
    if log is None:
        return None
    situation = read_situation(client, name, log)
    if not situation.is_behind or is_under_way(situation.moves[-1]):
        return None
    last = situation.moves[-1]
    repair = build_move(situation, MoveKind.REPAIR, last.to_version, last.previous, who=name_user())
    return repair if write_move(log, [repair], situation.aliases) else None


def build_move(
    situation: Situation, kind: MoveKind, to_version: int | None, previous: int | None, *, who: str
) -> Move:
    """Build the next entry of a record."""
    return Move(
        number=len(situation.moves) + 1,
        kind=kind,
        who=who,
        when=datetime.now(UTC).isoformat(),
        from_version=situation.recorded.champion if kind == MoveKind.OUTSIDE else situation.state.champion,
        to_version=to_version,
        previous=previous,
        token=uuid.uuid4().hex,
        process=name_process(),
    )


def _wait_for_agreement(log: MoveLog) -> bool:
    """Wait until the aliases agree with the record; write them if the later move's process has ended before."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        situation = read_situation(log.client, log.name, log)
        if not situation.is_behind:
            return True
        if repair_aliases(log.client, log.name) is None:
            time.sleep(_PAUSE)
    return False
