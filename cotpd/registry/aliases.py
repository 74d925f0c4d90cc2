"""The aliases of a registered model's versions: challenger, champion, previous, and how they move.

An alias moves in one write, so a server of ``models:/NAME@champion`` reads the old version or the new one, never
none. Every move of the champion is an entry of the model's record (cotpd.registry.move_log), and moves only if the
champion is still the one on which the decision rests.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cotpd.errors import ModelError
from cotpd.escaping import warn
from cotpd.registry.alias_state import Situation, read_situation
from cotpd.registry.alias_writer import build_move, repair_aliases, write_move
from cotpd.registry.model_address import require_unchanged
from cotpd.registry.move_log import MoveLog
from cotpd.registry.moves import (
    CHAMPION,
    PREVIOUS,
    AliasState,
    ChampionMovedError,
    Decision,
    Move,
    MoveKind,
)
from cotpd.registry.tracking_store import REACHABLE, explain_errors
from cotpd.registry.versions import Version, find_version, list_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ATTEMPTS = 20  # each fails only because another process has recorded a move
_UNKNOWN = "unknown"  # the mover outside cotpd


def set_alias(client: "MlflowClient", name: str, alias: str, number: int) -> None:
    """Give an alias other than champion and previous to a version, taking it from the version that had it.

    Raises:
        ModelError: MLflow refuses the alias, or cannot be reached.
    """
    if alias in (CHAMPION, PREVIOUS):
        problem = f"alias {alias} of model {name} moves by a promotion or a rollback alone"
        raise ModelError(problem, "Use cotpd registry promote, or cotpd registry rollback.")
    with explain_errors(f"alias {alias} of model {name}", "Aliases are letters, digits, dashes and underscores."):
        client.set_registered_model_alias(name, alias, str(number))
    reconcile_aliases(client, name)


def read_champion(client: "MlflowClient", name: str, *, began: datetime | None = None) -> int | None:
    """Return the number of the champion; None if there is none.

    Args:
        client: A client of the registry.
        name: The registered model's name.
        began: When the decision to move the champion was made, such as the start of a command.

    Raises:
        ModelError: There is no such model, or its record cannot be read.
        ChampionMovedError: The champion has moved since ``began``.
    """
    list_versions(client, name)  # raises for an unknown name, and lists those that there are
    with explain_errors(f"model {name}", REACHABLE):
        situation = read_situation(client, name)
    if began is not None and situation.moves:
        moved = datetime.fromisoformat(situation.moves[-1].when)
        if began < moved <= datetime.now(UTC):  # an entry of the future is that of a clock that goes wrong
            raise _describe_race(name, situation, "this command began")
    return situation.state.champion


def move_champion(
    client: "MlflowClient", name: str, version: int, *, expected_champion: int | None, decision: Decision
) -> Move:
    """Make a version the champion; the former champion becomes ``previous``. The move is recorded.

    Args:
        client: A client of the registry.
        name: The registered model's name.
        version: The number of the new champion.
        expected_champion: The champion on which the decision rests; None: there was none.
        decision: Who moves it, and why.

    Returns:
        The entry of the record.

    Raises:
        ChampionMovedError: The champion is another one by now. Nothing was changed.
        ModelError: There is no such version, its files are not those that were registered, or it is the champion.
    """

    def choose_version(state: AliasState) -> int:
        if state.champion == version:
            raise ModelError(f"models:/{name}@champion is version {version} already", "Nothing was changed.")
        return version

    return _move(client, name, choose_version, expected_champion, decision)


def roll_back(
    client: "MlflowClient", name: str, *, expected_champion: int | None, decision: Decision | None = None
) -> Move:
    """Make the previous champion champion again. The two change places, so a second rollback undoes the first.

    Args:
        client: A client of the registry.
        name: The registered model's name.
        expected_champion: The champion that is to be replaced.
        decision: Who moves it, and why.

    Returns:
        The entry of the record.

    Raises:
        ChampionMovedError: The champion is another one by now. Nothing was changed.
        ModelError: There is no champion or no previous one, or the previous one's files are not those that were
            registered.
    """

    def choose_previous(state: AliasState) -> int:
        for alias, number in ((CHAMPION, state.champion), (PREVIOUS, state.previous)):
            if number is None:
                find_version(client, name, alias)  # raises, and names the aliases that there are
        return int(state.previous or 0)

    return _move(client, name, choose_previous, expected_champion, decision or Decision(MoveKind.ROLLBACK))


def read_history(client: "MlflowClient", name: str) -> list[Move]:
    """Return every recorded move of a model's champion, the oldest first.

    Raises:
        ModelError: The record was deleted or damaged, or the registry cannot be reached.
    """
    with explain_errors(f"moves of model {name}", REACHABLE):
        log = MoveLog.find(client, name)
        return log.read() if log else []


def read_figures(client: "MlflowClient", name: str, move: Move) -> dict[str, Any] | None:
    """Return the verdict behind a move; None, after a warning, if its file is out of reach or was changed."""
    if not move.artifact:
        return None
    try:
        with explain_errors(f"moves of model {name}", REACHABLE):
            figures: dict[str, Any] = MoveLog.open(client, name).read_artifact(move)["figures"]
    except ModelError as error:
        warn(f"warning: {error}")
        return None
    return figures


def reconcile_aliases(client: "MlflowClient", name: str) -> None:
    """Write the aliases that a killed process has left behind the record, and warn of aliases moved by others.

    A store that cannot be written costs a warning, too.
    """
    try:
        with explain_errors(f"champion of model {name}", REACHABLE):
            repair_aliases(client, name)
            situation = read_situation(client, name)
    except ModelError as error:
        warn(f"warning: {error}")
        return
    if situation.is_outside and situation.moves:
        present, recorded = situation.aliases, situation.recorded
        champion = f"champion from {recorded.champion} to {present.champion}"
        previous = f"previous from {recorded.previous} to {present.previous}"
        warn(f"warning: aliases of {name} were moved outside cotpd, {champion}, {previous}; the next move says so")


def _move(
    client: "MlflowClient",
    name: str,
    choose: Callable[[AliasState], int],
    expected_champion: int | None,
    decision: Decision,
) -> Move:
    """Move the champion to the version that ``choose`` returns for the aliases, unless these moved meanwhile."""
    checked: set[int] = set()
    for _ in range(_ATTEMPTS):
        with explain_errors(f"model {name}", REACHABLE):
            situation = read_situation(client, name)
        if situation.state.champion != expected_champion:
            raise _describe_race(name, situation, f"it was version {expected_champion or 'none'}")
        number = choose(situation.state)
        version = find_version(client, name, str(number))
        if number not in checked:  # its files may be large
            _require_complete(client, version)
            checked.add(number)
        with explain_errors(f"moving the champion of {name}", REACHABLE):
            if move := _try_to_move(client, name, situation, number, decision):
                return move
    raise ModelError(f"the champion of {name} is moved by too many at once; nothing was changed", "Try again.")


def _try_to_move(
    client: "MlflowClient", name: str, situation: Situation, number: int, decision: Decision
) -> Move | None:
    """Record a move and write its aliases; None if another process was first and nothing was changed."""
    log = MoveLog.open(client, name)
    entries = []
    if situation.is_outside:
        state = situation.aliases
        entries = [build_move(situation, MoveKind.OUTSIDE, state.champion, state.previous, who=_UNKNOWN)]
        situation = replace(situation, moves=[*situation.moves, *entries])
    former = situation.state.champion
    previous = situation.state.previous if former is None else former
    move = build_move(situation, decision.kind, number, None if previous == number else previous, who=decision.who)
    move = _keep_decision(log, move, decision)
    if write_move(log, [*entries, move], situation.aliases):
        return move
    log.remove_artifact(move.artifact)
    return None


def _keep_decision(log: MoveLog, move: Move, decision: Decision) -> Move:
    """Write the whole decision as an artifact; return the move with its reason, facts and artifact."""
    move = replace(
        move,
        reason=decision.reason,
        rules_sha256=decision.rules_sha256,
        facts=dict(decision.facts),
        artifact=f"moves/{move.number:06}-{move.token}.json",
    )
    text = json.dumps({**move.as_dict(), "figures": dict(decision.figures)}, indent=1)
    log.write_artifact(move.artifact, text)
    return replace(move, artifact_sha256=hashlib.sha256(text.encode()).hexdigest())


def _require_complete(client: "MlflowClient", version: Version) -> None:
    """Refuse a version that MLflow has not registered completely, or whose files are not those registered."""
    with explain_errors(version.address, REACHABLE):
        status = client.get_model_version(version.name, str(version.number)).status
    if status != "READY":
        raise ModelError(
            f"{version.address} is not complete: its status in MLflow is {status}", "Register it again."
        )
    require_unchanged(client, version)


def _describe_race(name: str, situation: Situation, expectation: str) -> ChampionMovedError:
    """Return the error that names the champion by now, and who moved it; ``expectation`` is what held before."""
    champion = situation.state.champion
    now = "no version" if champion is None else f"version {champion}"
    mover = "it was moved outside cotpd"
    if situation.moves and not situation.is_outside:
        mover = str(situation.moves[-1])
    return ChampionMovedError(
        f"models:/{name}@champion has moved since {expectation}: it is {now} now ({mover}). Nothing was changed.",
        f"See cotpd registry history {name}, and decide again.",
    )
