"""Promote a version: read the registry, judge, decide, and move the alias if it is where the gate read it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.data.records import Record
from cotpd.errors import ConfigError
from cotpd.promotion.contenders import Runner
from cotpd.promotion.gate import Case, judge
from cotpd.promotion.held_out import read_held_out
from cotpd.promotion.rules import Requirement, RulesFile, read_rules
from cotpd.promotion.verdict import RuleResult, Verdict
from cotpd.registry.aliases import CHALLENGER, CHAMPION
from cotpd.registry.model_address import fetch_version
from cotpd.registry.versions import find_version, list_versions

if TYPE_CHECKING:
    from cotpd.registry.tracking_store import MlflowClient

Outcome = str


@dataclass(frozen=True)
class Request:
    """What the user asks of the gate.

    Attributes:
        name: The registered model.
        version: A number or an alias.
        posts: Held-out posts that the user names; None takes ``default_posts``.
        default_posts: The prepared test split of the project.
        rules: A file of rules; None takes the project's, or the built-in ones.
        require: Outweighs score.require and first_champion.require.
        is_dry_run: Judge, and move nothing.
        is_forced: Move although rules fail.
        reason: Why it is forced.
        runner: What runs the models.
    """

    name: str
    version: str = CHALLENGER
    posts: Path | None = None
    default_posts: Path = Path("data/prepared/test.jsonl")
    rules: Path | None = None
    require: Requirement | None = None
    is_dry_run: bool = False
    is_forced: bool = False
    reason: str = ""
    runner: Runner = Runner()
