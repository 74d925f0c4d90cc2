"""The aliases champion and previous, beside the record of moves from which they follow.

In a database both change in one transaction (cotpd.registry.atomic_move). Through a tracking server they are
written one after the other, so a killed or slow process may leave an alias behind the record. Then the record
counts. These rules tell such an alias from one that was moved outside cotpd:

1. An alias is written by the process of an entry, and only to the value in this entry.
2. Afterwards the process compares the aliases with the last entry. If they agree it signs its entry: with SEEN if
   the entry is the last, else with SUPERSEDED. From then on it writes nothing.
3. So an alias may hold the value of the last entry signed SEEN, of any later one, or of an earlier one that was
   never signed. Any other value was written outside cotpd.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cotpd.errors import ModelError
from cotpd.escaping import warn
from cotpd.liveness import is_dead
from cotpd.registry.move_log import MoveLog
from cotpd.registry.moves import CHAMPION, PREVIOUS, AliasState, Move, MoveKind

if TYPE_CHECKING:
    from mlflow import MlflowClient

SEEN, SUPERSEDED = "seen", "superseded"
_LAPSE = 3600.0  # seconds after which a request of a killed process can no longer arrive


@dataclass(frozen=True)
class Situation:
    """A model's aliases as MLflow has them, and as the record says.

    Attributes:
        aliases: The aliases in MLflow.
        moves: The record, the oldest entry first.
    """

    aliases: AliasState
    moves: Sequence[Move] = ()

    @property
    def recorded(self) -> AliasState:
        """The aliases after the last entry."""
        return self.moves[-1].state if self.moves else AliasState()

    @property
    def state(self) -> AliasState:
        """The aliases that count: those of the record, unless they were moved outside cotpd since."""
        return self.aliases if self.is_outside else self.recorded

    @property
    def is_outside(self) -> bool:
        """Whether the aliases were moved outside cotpd since the last entry."""
        states = list_possible_states(self.moves)
        champions = {state.champion for state in states}
        previous = {state.previous for state in states}
        return self.aliases.champion not in champions or self.aliases.previous not in previous

    @property
    def is_behind(self) -> bool:
        """Whether a killed or slow process has left the aliases behind the record."""
        return self.aliases != self.state


def read_situation(client: "MlflowClient", name: str, log: MoveLog | None = None) -> Situation:
    """Read the aliases and the record of a model.

    Raises:
        ModelError: The record was deleted or damaged.
    """
    log = log or MoveLog.find(client, name)
    # The record first and last: the aliases between belong to it if no entry came meanwhile.
    moves = log.read() if log else []
    while True:
        aliases = read_aliases(client, name)
        later_moves = log.read() if log else []
        if len(later_moves) == len(moves):
            return Situation(aliases, later_moves)
        moves = later_moves


def read_aliases(client: "MlflowClient", name: str) -> AliasState:
    """Return the aliases of a model in MLflow."""
    numbers = client.get_registered_model(name).aliases
    champion, previous = (int(numbers[alias]) if alias in numbers else None for alias in (CHAMPION, PREVIOUS))
    return AliasState(champion, previous)


def read_effective_aliases(client: "MlflowClient", name: str) -> dict[str, int]:
    """Return the number of each alias of a model, those that the record governs as the record says."""
    aliases = client.get_registered_model(name).aliases
    numbers = {alias: int(number) for alias, number in aliases.items()}
    try:
        state = read_situation(client, name).state
    except ModelError as error:  # without the record, the aliases in MLflow are what there is
        warn(f"warning: {error}")
        return numbers
    recorded = {CHAMPION: state.champion, PREVIOUS: state.previous}
    present = {alias: number for alias, number in recorded.items() if number is not None}
    return {alias: number for alias, number in numbers.items() if alias not in recorded} | present


def list_possible_states(moves: Sequence[Move]) -> list[AliasState]:
    """Return the states whose values the aliases can have unless another program moved them (rule 3 above)."""
    base = find_base(moves)
    states = [move.state for move in moves[max(base, 0) :]]
    if base < 0:
        states.append(AliasState())
    slow_moves = [move for move in moves[: max(base, 0)] if not is_signed(move) and compute_age(move) < _LAPSE]
    return states + [move.state for move in slow_moves]


def find_base(moves: Sequence[Move]) -> int:
    """Return the index of the last entry whose aliases are known to have been written; -1 if there is none."""
    written = [index for index, move in enumerate(moves) if is_written(move)]
    return written[-1] if written else -1


def is_written(move: Move) -> bool:
    """Whether the aliases are known to have agreed with an entry while it was the last."""
    return move.is_atomic or move.kind == MoveKind.OUTSIDE or move.outcome == SEEN


def is_signed(move: Move) -> bool:
    """Whether the process of an entry writes no alias any more."""
    return is_written(move) or bool(move.outcome)


def is_under_way(move: Move) -> bool:
    """Whether the process of an entry lives and may still write aliases."""
    return not is_signed(move) and not is_dead(move.process, compute_age(move))


def compute_age(move: Move) -> float:
    """Return the seconds since an entry was written, by this machine's clock."""
    return (datetime.now(UTC) - datetime.fromisoformat(move.when)).total_seconds()
