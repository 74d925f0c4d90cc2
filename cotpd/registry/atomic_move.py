"""A move written in one transaction, where this process has MLflow's database at hand: SQLite, PostgreSQL.

Entry, aliases and the version's tag are there together or not at all, whenever the process is killed.

Trade-off: MLflow's client writes each of them by itself, so this module writes MLflow's tables by their classes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cotpd.registry.move_log import MoveLog, format_entry
from cotpd.registry.moves import CHAMPION, PREVIOUS, AliasState, Move
from cotpd.registry.version_tags import format_move_tag

if TYPE_CHECKING:
    from mlflow import MlflowClient


def has_database(client: "MlflowClient") -> bool:
    """Whether a client writes to a database itself; False for a tracking server."""
    # Later than the module's own imports, for connect() has to switch off MLflow's telemetry before.
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry  # noqa: PLC0415  see above
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking  # noqa: PLC0415  see above

    tracking, registry = find_stores(client)
    is_sql = isinstance(tracking, Tracking) and isinstance(registry, Registry)
    return is_sql and tracking.db_uri == registry.db_uri


def find_stores(client: "MlflowClient") -> tuple[Any, Any]:
    """Return a client's store of runs and its store of models."""
    return client._tracking_client.store, client._get_registry_client().store  # noqa: SLF001  see the head


def append_with_aliases(log: MoveLog, moves: Sequence[Move], before: AliasState) -> bool:
    """Write entries, and the aliases after the last of them, in one transaction.

    Args:
        log: The record, in a database: see :func:`has_database`.
        moves: The entries, which follow each other.
        before: The aliases as they were read; the entries rest on them.

    Returns:
        False if nothing was written: another process was first, moved an alias, or deleted the version.
    """
    from sqlalchemy.exc import IntegrityError  # noqa: PLC0415  comes with MLflow

    tracking, _ = find_stores(log.client)
    workspace = log.client.get_registered_model(log.name).workspace
    with tracking.ManagedSessionMaker(read_only=False) as session:
        try:
            # First of all: it makes every other mover wait for this transaction, or fail if it was first.
            _add_entries(session, log, moves)
            is_valid = _write_aliases(session, workspace, log.name, moves[-1], before)
        except IntegrityError:
            is_valid = False
        if not is_valid:
            session.rollback()
        return is_valid


def _add_entries(session: Any, log: MoveLog, moves: Sequence[Move]) -> None:
    from mlflow.store.tracking.dbmodels.models import SqlParam  # noqa: PLC0415  see has_database

    for move in moves:
        key, text = format_entry(move)
        session.add(SqlParam(run_uuid=log.run_id, key=key, value=text))
    session.flush()


def _write_aliases(session: Any, workspace: str, name: str, move: Move, before: AliasState) -> bool:
    """Write the aliases after a move and the tag of its version, if the aliases are still as they were read."""
    from mlflow.store.model_registry.dbmodels import models  # noqa: PLC0415  see has_database

    key = {"workspace": workspace, "name": name}
    # The row of the model, locked, keeps MLflow's own writers of its aliases waiting, where a database locks rows.
    session.query(models.SqlRegisteredModel).filter_by(**key).with_for_update().one_or_none()
    rows = session.query(models.SqlRegisteredModelAlias).filter_by(**key).with_for_update().all()
    present = {row.alias: row for row in rows}
    numbers = {alias: row.version for alias, row in present.items()}
    if AliasState(numbers.get(CHAMPION), numbers.get(PREVIOUS)) != before:
        return False

    version = session.query(models.SqlModelVersion).filter_by(**key, version=move.to_version).one_or_none()
    if version is None or version.current_stage == "Deleted_Internal":
        return False
    tag, text = format_move_tag(move)
    session.merge(models.SqlModelVersionTag(**key, version=move.to_version, key=tag, value=text))
    for alias, number in ((CHAMPION, move.to_version), (PREVIOUS, move.previous)):
        if number is not None:
            session.merge(models.SqlRegisteredModelAlias(**key, alias=alias, version=number))
        elif alias in present:
            session.delete(present[alias])
    session.flush()
    return True
