"""How many wrong gold labels does the list of suspected errors find? Some labels are spoilt at random.

In a project whose pipeline has run for named entities:

    python -m benchmarks.gold_errors --seeds 20

Of the mentions of the held-out splits 5 % are spoilt: another type, another end, or no mention at all. Models are
not trained again, since they have never seen these labels. Each way of ranking gets the same candidates.
"""

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cotpd.config import load_params
from cotpd.data.label_format import format_entity
from cotpd.data.records import Entity, Post, replace_entities
from cotpd.evaluation.gold_error_score import count_families, name_family
from cotpd.evaluation.gold_errors import Evidence, Suspect, find_suspects
from cotpd.evaluation.labelling_odds import Reader
from cotpd.evaluation.predictions import read_predictions
from cotpd.pipeline.workspace import Workspace
from cotpd.student import Student
from cotpd.student.examples import Example
from cotpd.student.tasks import GoldMention, Prediction, find_task
from cotpd.student.views import View
from steps.evaluate import load_systems

RATE = 0.05  # of the mentions


def compute_mean_share(suspect: Suspect) -> float:
    """Return the mean share of the families, without what each row usually does."""
    families: dict[str, list[float]] = {}
    for row, share in suspect.shares.items():
        families.setdefault(name_family(row), []).append(share)
    return sum(sum(shares) / len(shares) for shares in families.values()) / len(families)


def count_votes(suspect: Suspect) -> float:
    """Return the number of families that agree, and of rows behind it."""
    return count_families(suspect.agreeing) + len(suspect.agreeing) / 100


class RememberingModel:
    """A model that scores each labelling once: most are the same for every seed."""

    def __init__(self, model: Student) -> None:
        self.labels, self._model = model.labels, model
        self._values: dict[tuple[str, str], float] = {}

    def compute_log_probabilities(
        self, examples: Sequence[Example], view: View | None = None, batch_size: int = 32
    ) -> list[float]:
        """Return the log-probability of each example's own labels."""
        keys = [(example.id, str(example.entities)) for example in examples]
        new = [number for number, key in enumerate(keys) if key not in self._values]
        values = self._model.compute_log_probabilities([examples[number] for number in new], view, batch_size)
        self._values |= {keys[number]: value for number, value in zip(new, values, strict=True)}
        return [self._values[key] for key in keys]


RANKINGS: Mapping[str, Callable[[Suspect], float]] = {
    "score": lambda suspect: suspect.score,
    "share alone": compute_mean_share,
    "student's share": lambda suspect: suspect.shares.get("student", 0.0),
    "votes": count_votes,
}


def spoil_posts(posts: Sequence[Post], types: Sequence[str], draw: random.Random) -> list[Post]:
    """Return posts with some of their mentions spoilt."""
    spoilt = []
    for post in posts:
        entities: list[Entity] = []
        for entity in post.entities:
            entities += spoil_mention(entity, types, draw) if draw.random() < RATE else [entity]
        spoilt.append(replace_entities(post, entities))
    return spoilt


def spoil_mention(entity: Entity, types: Sequence[str], draw: random.Random) -> list[Entity]:
    """Return the mention with another type or another beginning, or nothing."""
    fault = draw.choice(["type", "end", "missing"])
    if fault == "missing":
        return []
    if fault == "end" and entity.end - entity.start > 1:
        return [entity.model_copy(update={"start": entity.start + 1})]
    return [entity.model_copy(update={"type": draw.choice([name for name in types if name != entity.type])})]


def replace_gold(predictions: Sequence[Prediction], posts: Mapping[str, Sequence[Post]]) -> list[Prediction]:
    """Return the predictions with the gold of the spoilt posts."""
    gold: dict[tuple[str, str], list[GoldMention]] = {}
    for split, rows in posts.items():
        for post in rows:
            mentions = [GoldMention(entity.start, entity.end, str(entity.type)) for entity in post.entities]
            gold[split, post.id] = mentions
    return [row.model_copy(update={"gold": gold[row.split, row.id]}) for row in predictions]


def list_faults(posts: Sequence[Post], spoilt: Sequence[Post]) -> list[tuple[str, str]]:
    """Return the post and the true mention of each fault."""
    faults = []
    for before, after in zip(posts, spoilt, strict=True):
        lost = [entity for entity in before.entities if entity not in after.entities]
        faults += [(before.id, str(format_entity(before, entity))) for entity in lost]
    return faults


def is_among(suspect: Suspect, faults: Sequence[tuple[str, str]]) -> bool:
    """Return whether a suspect brings a spoilt mention back."""
    return any((suspect.id, str(label)) in faults for label in suspect.added)


def measure_seed(
    seed: int, posts: Mapping[str, list[Post]], predictions: Sequence[Prediction], readers: Sequence[Reader]
) -> dict[str, list[float]]:
    """Return, for each ranking, the shares of faults among the first n, the first 20 and all candidates, and n."""
    draw = random.Random(seed)
    types = Workspace().read_label_names("types")
    spoilt = {split: spoil_posts(rows, types, draw) for split, rows in posts.items()}
    faults: list[tuple[str, str]] = []
    for split, rows in posts.items():
        faults += list_faults(rows, spoilt[split])
    evidence = Evidence(find_task("ner"), replace_gold(predictions, spoilt), spoilt, readers, least_score=-1.0)
    suspects = find_suspects(evidence)
    draw.shuffle(suspects)  # what a ranking leaves open is decided by chance
    count = len(faults)
    shares = {}
    for name, rank in RANKINGS.items():
        ordered = sorted(suspects, key=rank, reverse=True)
        right = [is_among(row, faults) for row in ordered]
        shares[name] = [*(sum(right[:k]) / max(1, count) for k in (count, 20, len(right))), count]
    return shares


def main() -> None:
    """Print a line for each ranking."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    workspace, params = Workspace(), load_params()
    captions, knowledge = workspace.read_captions(), workspace.read_knowledge()
    systems = load_systems(workspace, params.evaluate.device)
    readers = [
        Reader(system.row, RememberingModel(system.model), system.view, captions, knowledge) for system in systems
    ]
    posts: dict[str, list[Post]] = {split: workspace.read_posts(split) for split in params.evaluate.splits}
    predictions = read_predictions(Path(workspace.evaluation / "predictions.jsonl"))
    runs = [measure_seed(seed, posts, predictions, readers) for seed in range(options.seeds)]
    print("ranking: faults among the first n, the first 20, all candidates; n")
    for name in RANKINGS:
        means = np.mean([run[name] for run in runs], axis=0).tolist()
        print(f"{name}: " + ", ".join(f"{mean:.0%}" for mean in means[:3]) + f"; {means[3]:.1f}")


if __name__ == "__main__":
    main()
