"""Promote a version: read the registry, judge, decide, and move the alias if it is where the gate read it."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cotpd.data.records import Record, WordSplitting
from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.promotion.contenders import Runner
from cotpd.promotion.gate import Case, judge
from cotpd.promotion.gate_verdict import Verdict
from cotpd.promotion.held_out import HeldOut, read_held_out
from cotpd.promotion.rules import Requirement, RulesFile, read_rules
from cotpd.registry.aliases import move_champion, read_champion
from cotpd.registry.model_address import fetch_version, find_student_folder
from cotpd.registry.moves import CHALLENGER, CHAMPION, Decision, MoveKind
from cotpd.registry.versions import Version, find_version
from cotpd.student.card import read_card

if TYPE_CHECKING:
    from cotpd.registry.tracking_store import MlflowClient

Outcome = Literal["promoted", "forced", "refused", "would promote", "would refuse", "unchanged"]
DEFAULT_POSTS = Path("data/prepared/test.jsonl")


@dataclass(frozen=True)
class Request:
    """A user's request to promote a version.

    Attributes:
        name: The registered model.
        version: A number or an alias.
        target: The alias to move; the gate guards the champion's alone.
        posts: Held-out posts that the user names; None takes the prepared test split of the project.
        rules: A file of rules; None takes the project's, or the built-in ones.
        require: Outweighs score.require and first_champion.require.
        is_dry_run: Judge, and move nothing.
        is_forced: Move although rules fail.
        reason: Why, in the user's words; needed to force.
        runner: What runs the models.
        began: When the user asked; a later move of the champion is a race lost. None: when the registry is read.
    """

    name: str
    version: str = CHALLENGER
    target: str = CHAMPION
    posts: Path | None = None
    rules: Path | None = None
    require: Requirement | None = None
    is_dry_run: bool = False
    is_forced: bool = False
    reason: str = ""
    runner: Runner = field(default_factory=Runner)
    began: datetime | None = None

    def __post_init__(self) -> None:
        if self.target != CHAMPION:
            problem = f"the gate moves the alias {CHAMPION} alone, not {self.target!r}"
            raise ConfigError(problem, "Leave --to out; MLflow's own page moves other aliases.")
        if self.is_forced and not self.reason.strip():
            raise ConfigError("a promotion is forced for a reason, which the history keeps", 'Add --reason "...".')
        if self.is_forced and self.is_dry_run:
            raise ConfigError("a dry run moves nothing, so there is nothing to force", "Leave one of the two out.")


class Promotion(Record):
    """The outcome of a request; `cotpd promote --json` prints it.

    Attributes:
        outcome: What was done, or would be.
        name: The registered model.
        version: The version to promote.
        champion: The champion before.
        reason: The user's words.
        verdict: The gate's; None if the version is the champion already.
    """

    outcome: Outcome
    name: str
    version: int
    champion: int | None
    reason: str = ""
    verdict: Verdict | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the version is champion now, or would be after a dry run."""
        return self.outcome not in ("refused", "would refuse")


def promote_version(client: "MlflowClient", request: Request) -> Promotion:
    """Judge a version and make it champion if it passes, or if it is forced.

    Raises:
        ModelError: There is no such model, version or alias, or the version's files are gone, changed or
            unreadable.
        ChampionMovedError: The champion moved while the gate judged.
        DataError: There are no held-out posts, or they are not annotated for the version's task.
        ConfigError: The rules cannot be read.
    """
    rules_file = apply_requirement(read_rules(request.rules), request.require)
    version = find_version(client, request.name, request.version)
    number = read_champion(client, request.name, began=request.began)
    champion = None if number is None else find_version(client, request.name, str(number))
    if version.number == number:
        return _describe("unchanged", version, number)

    case = Case(
        challenger=version,
        folder=fetch_version(client, version),
        champion=champion,
        held_out=_read_posts(request, version),
        is_named=request.posts is not None,
        rules_file=rules_file,
        runner=request.runner,
    )
    verdict = judge(case)
    outcome = choose_outcome(verdict, request)
    if outcome in ("promoted", "forced"):
        decision = build_decision(verdict, outcome, request.reason)
        move_champion(client, version.name, version.number, expected_champion=number, decision=decision)
    return _describe(outcome, version, number, request.reason, verdict)


def _describe(
    outcome: Outcome, version: Version, champion: int | None, reason: str = "", verdict: Verdict | None = None
) -> Promotion:
    return Promotion(
        outcome=outcome,
        name=version.name,
        version=version.number,
        champion=champion,
        reason=reason,
        verdict=verdict,
    )


def _read_posts(request: Request, challenger: Version) -> HeldOut:
    """Read the held-out posts; a forced promotion goes on without them, and its record says so."""
    path = request.posts or DEFAULT_POSTS
    try:
        return read_held_out(path, _read_words(challenger))
    except DataError as error:
        if not request.is_forced:
            raise
        return HeldOut([], str(path), "", problem=error.problem)


def _read_words(challenger: Version) -> WordSplitting | None:
    """Return how the challenger reads text; None if its card cannot be read, which the gate will say."""
    try:
        return read_card(find_student_folder(challenger.address)).words
    except ModelError:
        return None


def apply_requirement(rules_file: RulesFile, require: Requirement | None) -> RulesFile:
    """Return the rules with another requirement on the score; the digest stays that of the file."""
    if require is None:
        return rules_file
    rules = rules_file.rules
    changes = {
        "score": rules.score.model_copy(update={"require": require}),
        "first_champion": rules.first_champion.model_copy(update={"require": require}),
    }
    return rules_file._replace(rules=rules.model_copy(update=changes))


def choose_outcome(verdict: Verdict, request: Request) -> Outcome:
    """Return what follows from a verdict."""
    if request.is_dry_run:
        return "would promote" if verdict.passed else "would refuse"
    if verdict.passed:
        return "promoted"
    return "forced" if request.is_forced else "refused"


def build_decision(verdict: Verdict, outcome: Outcome, reason: str) -> Decision:
    """Return what the history keeps of a promotion: the verdict, and the failed rules of a forced one."""
    failures = verdict.list_failures()
    score = next((result for result in verdict.results if result.rule == "score"), None)
    facts = {"compared with": verdict.reference, "posts": f"{verdict.posts_count} ({verdict.posts_sha256[:12]})"}
    if score is not None and score.difference is not None:
        facts[verdict.score_name] = f"{100 * score.difference:+.2f}"
    if failures:
        facts["failed"] = ", ".join(result.title for result in failures)
    return Decision(
        MoveKind.FORCED if outcome == "forced" else MoveKind.PROMOTION,
        reason=reason,
        rules_sha256=verdict.rules_sha256,
        facts=facts,
        figures=verdict.model_dump(mode="json"),
    )
