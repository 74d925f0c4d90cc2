"""Runs that were never trained: posts of any number and any text, with predictions, evidence and tables."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from cotpd.data.data_checks import CheckedTable
from cotpd.data.records import KNOWLEDGE_KINDS, Augmented, Caption, Kind, Knowledge, Post, Quarantined
from cotpd.data.tables import write_json, write_table
from cotpd.escaping import write_csv
from cotpd.evaluation.intervals import compute_intervals
from cotpd.evaluation.predictions import build_predictions
from cotpd.evaluation.results_table import compute_metrics
from cotpd.evaluation.slices import build_slices
from cotpd.pipeline.workspace import Workspace
from cotpd.report.browsable_posts import PostTables
from cotpd.report.evaluation_files import CurvePoint, EvaluationFiles
from cotpd.report.evidence import NearestRow, NearPost
from cotpd.report.run_page import RunMaterial
from cotpd.report.run_record import Model, RunRecord, Setting, SourceCost, TableDigest
from cotpd.student.examples import build_examples
from cotpd.student.tasks import PredictedLabel, PredictedMention, Prediction
from tests.builders import build_post

ROWS = ("baseline", "control", "student", "knowledge")
TYPES = ("PER", "LOC", "ORG")
CURVES = (
    CurvePoint("student", "loss", 1.0, 4.5),
    CurvePoint("student", "loss", 2.0, 2.5),
    CurvePoint("student", "valid.prompt.f1", 1.0, 40.0),
)
_WORDS = [
    "the",
    "game",
    "was",
    "late",
    "again",
    "and",
    "nobody",
    "in",
    "town",
    "saw",
    "it",
    "but",
    "we",
    "sang",
    "all",
    "night",
    "with",
    "friends",
]


def make_posts(count: int, prefix: str = "t", texts: Sequence[str] = ()) -> list[Post]:
    """Make posts with two mentions and a pair each; ``texts`` are put behind the first of them."""
    rng = random.Random(f"{prefix}/{count}")
    posts = []
    for number in range(count):
        words = " ".join(rng.choices(_WORDS, k=rng.randint(4, 14)))
        behind = f" {texts[number]}" if number < len(texts) else ""
        markup = f"[Ada Nr {number}]({TYPES[number % 3]}) {words} [Rome](LOC) today{behind}"
        key = f"{prefix}{number}"
        posts.append(
            build_post(markup, id=key, image="a.jpg", relations=[(0, 1, "lives_in")], file="x", line=number + 1)
        )
    return posts


def predict(posts: Sequence[Post], task: str, split: str) -> Iterator[Prediction]:
    """Yield a prediction of each row for each post: every third one of the baseline and every fifth are wrong."""
    examples = build_examples(posts, task, {}, {})
    for row, share in zip(ROWS, (3, 4, 5, 6), strict=True):
        predicted = [
            _predict_example(example, is_right=number % share != 0) for number, example in enumerate(examples)
        ]
        yield from build_predictions(examples, predicted, task=task, split=split, model=row)


def _predict_example(example, *, is_right: bool) -> list[PredictedMention] | list[PredictedLabel]:
    if example.label is not None:
        return [PredictedLabel(example.label if is_right else "None", 0.75)]
    mentions = [PredictedMention(entity.start, entity.end, entity.type, 0.875) for entity in example.entities]
    return mentions if is_right else [mentions[0]._replace(label="ORG" if mentions[0].label != "ORG" else "PER")]


def make_run(
    count: int = 12, task: str = "ner", texts: Sequence[str] = (), answer: str = "Ada is a person, Rome a city."
) -> RunMaterial:
    """Make a run of ``count`` posts, half of them valid and half test.

    Args:
        count: Posts of the scored splits.
        task: ner or re.
        texts: Put into the first test posts, captions, answers, reasons and names.
        answer: Every answer.
    """
    splits = {
        "train": make_posts(6, "n", texts),
        "valid": make_posts(count // 2, "v"),
        "test": make_posts(count - count // 2, "t", texts),
    }
    odd = " ".join(texts)
    tables = _make_tables(splits, task, odd, answer)
    return RunMaterial(
        task,
        _make_files(tables, task, odd),
        tables,
        quarantine=_make_quarantine(odd),
        augmented=[Augmented(post=splits["train"][0], of="n1", kind=Kind.STYLE, evidence=f"ledger {odd}")],
        augment_counts={"style": {"kept": 1, "rejected": 1, "unanswered": 0, "unsuitable": 0}},
    )


def _make_tables(splits: Mapping[str, list[Post]], task: str, odd: str, answer: str) -> PostTables:
    slices = {split: build_slices(task, splits[split], splits["train"]) for split in ("valid", "test")}
    keys = [post.id for post in (*splits["valid"], *splits["test"])]
    knowledge = {key: dict.fromkeys(KNOWLEDGE_KINDS, f"{answer}{odd}") for key in keys}
    return PostTables(dict(splits), {key: f"a tower {odd}".strip() for key in keys}, knowledge, slices)


def _make_files(tables: PostTables, task: str, odd: str) -> EvaluationFiles:
    splits = {split: tables.posts[split] for split in ("valid", "test")}
    predictions, nearest = [], []
    for split, posts in splits.items():
        predictions += predict(posts, task, split)
        nearest += _make_nearest(posts, task, split)
    return EvaluationFiles(
        metrics=compute_metrics(predictions, task, seed=1, resamples=50),
        predictions=predictions,
        intervals=list(compute_intervals(predictions, tables.slices, seed=1, resamples=50)),
        record=make_record(task, odd),
        nearest=nearest,
        curves=CURVES,
    )


def make_record(task: str = "ner", odd: str = "") -> RunRecord:
    """Make the record of what was run."""
    return RunRecord(
        task=task,
        commit="0123456789abcdef",
        models=(Model(role="student", name=f"all-MiniLM-L6-v2{odd}", fingerprint="f" * 64),),
        settings=(Setting(name="seed", value=13, default=13), Setting(name="train.epochs", value=4, default=6)),
        tables=(TableDigest(name="prepared/test.jsonl", rows=6, sha256="a" * 64),),
        costs=tuple(
            SourceCost(source=kind, answers=2, sent=100, received=50, dollars=0.5) for kind in ("noun", "style")
        ),
        cost_note="at the prices of 2026-01-02",
        checks=(CheckedTable(name="posts", rows=9, failed=1),),
        warnings=(f"train and test share 1 text{odd}",),
    )


def _make_nearest(posts: Sequence[Post], task: str, split: str) -> Iterator[NearestRow]:
    near_posts = tuple(
        NearPost(id=f"n{number}", span=(0, 3), label="PER", similarity=0.9 - number / 10) for number in range(3)
    )
    pairs = tuple(NearPost(id=f"n{number}#0", label="lives_in", similarity=0.9) for number in range(3))
    for post in posts:
        if task == "re":
            yield NearestRow(id=f"{post.id}#0", split=split, posts=pairs)
        for entity in post.entities if task == "ner" else ():
            yield NearestRow(id=post.id, split=split, span=(entity.start, entity.end), posts=near_posts)


def _make_quarantine(odd: str) -> list[Quarantined]:
    row = {"kind": "style", "post": f"Ada {odd}", "answer": f"no {odd}"}
    return [
        Quarantined(id="n9", step="prepare", reason=f"no text {odd}", file="/home/me/sample/train.jsonl", line=9),
        Quarantined(id="n1", step="augment", reason="the rewrite loses a mention", row=row),
    ]


def make_remarks(texts: Sequence[str] = ()) -> Mapping[str, list[dict[str, object]]]:
    """Make what other parts of the evaluation may say: buckets, schemas, diagnoses, suspected errors, explained."""
    odd = " ".join(texts)
    bucket = {"split": "test", "row": "student", "against": "baseline", "by": "seen", "bucket": f"unseen{odd}"}
    scores = {"posts": 4, "mentions": 8, "score": 70.0, "score_against": 60.5}
    schema = {"split": "test", "row": "student", "schema": "strict", "precision": 0.7, "recall": 0.6, "f1": 0.646}
    suspect = {"id": "t1", "split": "test", "rank": 1, "score": 0.9, "text": f"Ada {odd}", "suggested": []}
    return {
        "buckets": [bucket | scores | {"difference": 9.5, "low": 1.0, "high": 18.0}],
        "schemas": [schema],
        "diagnoses": [
            {"code": "c", "split": "test", "title": f"No gain{odd}", "evidence": "+0.1", "remedy": "Look."}
        ],
        "suspects": [
            suspect
            | {
                "gold": [{"start": 0, "end": 3, "type": f"PER{odd}"}],
                "agreeing": ["student"],
                "reason": f"all agree{odd}",
            }
        ],
        "explained": [{"title": "Wrong, and most certain", "predictions": [_make_explained(odd)]}],
    }


def _make_explained(odd: str) -> dict[str, object]:
    near_post = {
        "similarity": 0.5,
        "pieces": [[f"Ada{odd}", "PER"]],
        "label": "",
        "chain": {"noun": f"a name{odd}"},
    }
    shade = {"text": f"Ada{odd}", "strength": 4, "marked": True}
    claim = {"id": "t1", "label": "PER", "score": 0.5, "is_right": False, "truth": f"none{odd}"}
    return claim | {"has_attention": True, "shades": [shade], "posts": [near_post]}


def add_remarks(material: RunMaterial, texts: Sequence[str] = ()) -> RunMaterial:
    """Put made-up remarks into a run, and return it."""
    for name, rows in make_remarks(texts).items():
        setattr(material.files, name, rows)
    return material


def write_run(material: RunMaterial, root: Path) -> Workspace:
    """Write a run's files below a project's folder, as the steps would have."""
    workspace = Workspace(root)
    _write_evaluation(workspace, material.files)
    for split, posts in material.tables.posts.items():
        write_table(workspace.locate_posts(split), posts)
    _write_knowledge(workspace, material.tables)
    write_table(workspace.augmented / "augmented.jsonl", material.augmented)
    write_json(workspace.augmented / "counts.json", material.augment_counts)
    steps = {"prepare": workspace.prepared, "validate": workspace.validated, "augment": workspace.augmented}
    for step, path in steps.items():
        write_table(path / "quarantine.jsonl", [row for row in material.quarantine if row.step == step])
    return workspace


def _write_evaluation(workspace: Workspace, files: EvaluationFiles) -> None:
    folder = workspace.evaluation
    write_json(workspace.scores, files.metrics)
    write_table(folder / "predictions.jsonl", files.predictions)
    write_table(workspace.intervals, files.intervals)
    write_table(folder / "nearest.jsonl", files.nearest)
    write_json(folder / "run.json", files.record.model_dump(mode="json"))
    (folder / "plots").mkdir()
    points = [(point.model, point.epoch, point.measure, point.value) for point in files.curves]
    write_csv(folder / "plots/curves.csv", ("model", "epoch", "measure", "value"), points)
    for name in ("buckets", "schemas", "diagnoses", "explained"):
        write_json(folder / f"{name}.json", getattr(files, name))
    lines = "".join(json.dumps(row) + "\n" for row in files.suspects)
    (folder / "suspected_errors.jsonl").write_text(lines)


def _write_knowledge(workspace: Workspace, tables: PostTables) -> None:
    captions = [Caption(id=key, image="a", caption=text, backend="tags") for key, text in tables.captions.items()]
    write_table(workspace.validated / "captions.jsonl", captions)
    pairs = product(tables.knowledge.items(), KNOWLEDGE_KINDS)
    answers = [Knowledge(id=key, kind=kind, text=texts[kind]) for (key, texts), kind in pairs]
    write_table(workspace.validated / "knowledge.jsonl", answers)
