"""The record of one move of a model's champion: who moved it, when and why, from which version to which."""

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from cotpd.errors import ModelError

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"


class MoveKind(StrEnum):
    """The kinds of moves in a model's record."""

    PROMOTION = "promotion"
    FORCED = "forced promotion"
    ROLLBACK = "rollback"
    OUTSIDE = "moved outside cotpd"
    """The alias was moved by another program, such as MLflow's own page; noticed at the next move."""
    REPAIR = "repair"
    """A killed move had been recorded, and its aliases were written later. The champion stays the same."""


class ChampionMovedError(ModelError):
    """The champion is not the one on which the caller's decision rests; nothing was changed."""


@dataclass(frozen=True)
class AliasState:
    """The versions that the aliases champion and previous are on; None where there is no such alias."""

    champion: int | None = None
    previous: int | None = None


def name_user() -> str:
    """Return USER@HOST: the user of the tracking server if one is set, otherwise of this machine."""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if not user:
        try:
            user = getpass.getuser()
        except (KeyError, ImportError, OSError):  # a container's user id without a name
            user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True)
class Decision:
    """The decision behind a move of the champion, as the record keeps it.

    Attributes:
        kind: Promotion, forced promotion or rollback.
        reason: The decider's own words.
        who: The decider.
        rules_sha256: The digest of the rules that allowed it; empty if none were asked.
        facts: A few short figures; the history prints them.
        figures: The whole verdict, of any size, as JSON can hold it; kept as an artifact.
    """

    kind: MoveKind
    reason: str = ""
    who: str = field(default_factory=name_user)
    rules_sha256: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Move:
    """One entry of a model's record. Entries are numbered from 1 without a gap, and never change.

    Attributes:
        number: Its position in the record, which decides which of two moves was first.
        kind: Why the champion moved.
        who: The decider.
        when: When it was recorded, in UTC, as ISO 8601.
        from_version: The champion before; None if there was none.
        to_version: The champion after; None if the alias was deleted outside cotpd.
        previous: The version that ``previous`` is on after the move; None if there is none.
        reason: The decider's own words, shortened; the artifact has them whole.
        rules_sha256: The digest of the rules that allowed it.
        facts: A few short figures.
        artifact: The path of the whole decision below the record's run.
        artifact_sha256: Its digest.
        token: A random name, by which a process knows its own entry.
        process: The process that writes the aliases of this move.
        is_atomic: Whether entry and aliases were written in one transaction.
        outcome: How the writing ended, where aliases are written one by one: see cotpd.registry.alias_state.
    """

    number: int
    kind: MoveKind
    who: str
    when: str
    from_version: int | None
    to_version: int | None
    previous: int | None
    reason: str = ""
    rules_sha256: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    artifact: str = ""
    artifact_sha256: str = ""
    token: str = ""
    process: str = ""
    is_atomic: bool = False
    outcome: str = ""

    @property
    def state(self) -> AliasState:
        """The aliases after this move."""
        return AliasState(self.to_version, self.previous)

    def __str__(self) -> str:
        origin = "no version" if self.from_version is None else f"version {self.from_version}"
        target = "no version" if self.to_version is None else f"version {self.to_version}"
        why = f": {self.reason}" if self.reason else ""
        return f"{self.kind} by {self.who} at {self.when}, from {origin} to {target}{why}"

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON can hold it."""
        return {**asdict(self), "kind": str(self.kind), "facts": dict(self.facts)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], outcome: str = "") -> "Move":
        """Read an entry; keys that a newer cotpd wrote are left out.

        Raises:
            TypeError, ValueError: It is no entry.
        """
        names = {attribute.name for attribute in fields(cls)} - {"kind", "outcome"}
        known_values = {name: value for name, value in values.items() if name in names}
        return cls(kind=MoveKind(str(values.get("kind"))), outcome=outcome, **known_values)
