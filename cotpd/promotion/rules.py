"""The rules of the gate: registry/gate.yaml as typed objects, checked like params.yaml.

Trade-off: the defaults stand here and in the reviewed file, which a test compares, so that an installation without
a checkout has the same gate. A rule that is null in the file is off, and the verdict says so.
"""

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ConfigDict, Field

from cotpd.errors import ConfigError
from cotpd.parameter_file import read_parameters
from cotpd.section import Section

RULES_PATH = Path("registry/gate.yaml")  # from the project's folder
BUILT_IN = "the built-in rules"
Requirement = Literal["not_worse", "better"]


class Rules(Section):
    """Base of the sections: a number must be one, since YAML's `yes` would otherwise be a margin of 1."""

    model_config = ConfigDict(strict=True)


class ScoreRule(Rules):
    """The micro-F1 against the champion's."""

    require: Requirement = "not_worse"
    """not_worse: the difference is above -margin at the stated confidence; better: it is above 0."""
    margin: float = Field(default=0.02, ge=0, le=1)
    """The fall in F1 that does not matter (not_worse)."""


class FallRule(Rules):
    """The F1 of each part of the posts against the champion's; a part that falls for certain is refused."""

    bound: float = Field(default=0.05, ge=0, le=1)
    """The fall in F1 that is tolerated; refused is what falls by more at the stated confidence."""
    min_support: int = Field(default=30, ge=1)
    """Gold labels that a part must hold to be tested."""


class TypesRule(FallRule):
    """The F1 of each entity type, or of each relation label."""


class SlicesRule(FallRule):
    """The F1 of posts with unseen mentions, of posts without a picture, and of long posts."""


class CalibrationRule(Rules):
    """The expected calibration error (ECE) against the champion's."""

    bound: float = Field(default=0.05, ge=0, le=1)
    """The rise that is tolerated."""
    min_support: int = Field(default=50, ge=1)
    """Scored predictions that each model must have made to be compared."""


class CostRule(Rules):
    """Time and memory of prediction against the champion's, each in a process of its own."""

    time_factor: float = Field(default=1.5, gt=0, le=1000)
    """The most time, as a multiple of the champion's."""
    memory_factor: float = Field(default=1.5, gt=0, le=1000)
    """The most memory of the whole process, as a multiple of the champion's."""
    posts: int = Field(default=128, ge=1)
    """Held-out posts that are predicted in each round."""
    rounds: int = Field(default=5, ge=1)
    """Rounds, in which the two take turns."""
    limit_seconds: int = Field(default=900, ge=1)
    """The most time that the whole measurement may take."""


class DataRule(Rules):
    """The checks of the data that the challenger learnt from."""

    max_failed_share: float = Field(default=0.05, ge=0, le=1)
    """The largest share of posts, captions or answers that failed their checks."""
    warnings: Literal["allow", "refuse"] = "allow"
    """Whether warnings about the data set, such as labels that train lacks, are allowed."""


class LeakRule(Rules):
    """The held-out posts that the challenger was trained on."""

    max_exact_share: float = Field(default=0, ge=0, le=1)
    """The largest share of held-out posts whose words are those of a training post."""
    max_near_share: float = Field(default=0, ge=0, le=1)
    """The largest share of held-out posts that are near to a training post; exact ones are not counted again."""
    similarity: float = Field(default=0.6, gt=0, le=1)
    """From this share of common word pairs on (Jaccard) two posts are near."""


class FirstChampionRule(Rules):
    """The rule for a first champion, which has none to be compared with."""

    reference: str = "models/baseline"
    """The text-only baseline: a folder, or an address in MLflow."""
    require: Requirement = "better"
    """As for score."""
    margin: float = Field(default=0.02, ge=0, le=1)
    """As for score."""


class GateRules(Rules):
    """The rules of the gate: every section of registry/gate.yaml."""

    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Of every statement about F1, one-sided."""
    resamples: int = Field(default=10_000, ge=1000, le=1_000_000)
    """Of the held-out posts, by the bootstrap."""
    seed: int = Field(default=13, ge=0)
    """Seeds the bootstrap."""
    score: ScoreRule = ScoreRule()
    """The micro-F1 against the champion's."""
    types: TypesRule | None = TypesRule()
    """The F1 of each entity type, or of each relation label."""
    slices: SlicesRule | None = SlicesRule()
    """The F1 of posts with unseen mentions, of posts without a picture, and of long posts."""
    calibration: CalibrationRule | None = CalibrationRule()
    """The expected calibration error (ECE) against the champion's."""
    cost: CostRule | None = CostRule()
    """Time and memory of prediction against the champion's."""
    data: DataRule | None = DataRule()
    """The checks of the data that the challenger learnt from."""
    leak: LeakRule | None = LeakRule()
    """The held-out posts that the challenger was trained on."""
    card: Literal["complete"] | None = "complete"
    """The model card of the challenger: complete if every required section says something."""
    first_champion: FirstChampionRule = FirstChampionRule()
    """What the first champion must beat."""


class RulesFile(NamedTuple):
    """Rules, where they were read, and the sha256 of what was read."""

    rules: GateRules
    source: str
    sha256: str


def read_rules(path: Path | None = None, root: Path = Path()) -> RulesFile:
    """Read the rules of the gate.

    Args:
        path: A file; None takes registry/gate.yaml of the project, or the built-in rules where there is none.
        root: The project's folder.

    Raises:
        ConfigError: The file is missing, is no YAML, or holds a rule or value that is not understood; the message
            names file, line and key, and the key that was probably meant.
    """
    if path is None and not (root / RULES_PATH).exists():
        defaults = GateRules()
        return RulesFile(defaults, BUILT_IN, hashlib.sha256(defaults.model_dump_json().encode()).hexdigest())
    path = path or root / RULES_PATH
    try:
        rules, _ = read_parameters(path, GateRules)
        return RulesFile(rules, str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    except ConfigError as error:
        raise ConfigError(error.problem, "Every rule is explained in docs/promote.md.") from None
