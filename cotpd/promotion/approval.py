"""A promotion that waits for a person: hours may pass between the gate's verdict and the answer."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cotpd.promotion.gate_verdict import Verdict
from cotpd.promotion.promote import build_decision
from cotpd.registry.aliases import move_champion
from cotpd.registry.moves import ChampionMovedError, Move
from cotpd.registry.versions import find_version

if TYPE_CHECKING:
    from cotpd.registry.tracking_store import MlflowClient


def describe_change(verdict: Verdict) -> str:
    """Return what a person decides on, in words; an answer to other words is no answer to this verdict."""
    before = "the first champion" if verdict.champion is None else f"in place of version {verdict.champion}"
    return f"{verdict.name}: version {verdict.challenger}, {before}"


def promote_judged(
    client: "MlflowClient", verdict: Verdict, label: str, *, person: str = "", reason: str = ""
) -> Move:
    """Make the version that the gate has passed the champion.

    Args:
        client: A client of the registry.
        verdict: The gate's.
        label: By which the version was named, a number or an alias.
        person: The name of the approver; "" leaves it to the user of this process.
        reason: In the person's words.

    Raises:
        ChampionMovedError: Since the verdict the champion has moved, or the label names another version.
        ModelError: The version's files are gone or changed, or the registry cannot be reached.
    """
    current = find_version(client, verdict.name, label).number
    if current != verdict.challenger:
        raise ChampionMovedError(
            f"{label} of {verdict.name} is version {current} by now, and the gate judged {verdict.challenger}",
            "Nothing was changed. Promote again: the gate then judges the version that it is now.",
        )
    decision = build_decision(verdict, "promoted", reason)
    if person:  # nobody has checked that name, so the user of this process stays beside it
        decision = replace(decision, who=f"{person}, through {decision.who}")
    return move_champion(
        client, verdict.name, verdict.challenger, expected_champion=verdict.champion, decision=decision
    )
