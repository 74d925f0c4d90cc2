"""Whether a data set holds what a cell needs; a cell that lacks something is left out, and its row says what."""

from itertools import chain

from cotpd.config import Params
from cotpd.data.records import SPLITS, Kind
from cotpd.errors import DataError
from cotpd.pipeline.workspace import UNLABELLED
from cotpd.studies.changes import Tables
from cotpd.studies.inputs import Source, Sources
from cotpd.studies.study import Cell, Changes, DataSet, Study


def find_missing(study: Study, cell: Cell, params: Params, sources: Sources) -> str:
    """Return what a cell's data sets lack, with its remedy; "" if they hold everything that the cell needs.

    Args:
        study, cell, sources: The cell, and the tables that it reads.
        params: The parameters of the cell.

    Raises:
        DataError: A data set was not prepared.
    """
    changes = study.list_changes(cell)
    train_name = study.get_data_set(cell.train_on)
    test_name = study.get_data_set(cell.test_on or cell.train_on)
    if cell.is_llm:
        return _find_missing_labels(study, cell, sources)
    train = sources.get_tables(study.data_sets[train_name], changes)
    test = sources.get_tables(study.data_sets[test_name], changes)
    original = sources.get_tables(study.data_sets[train_name], Changes())

    if not train.posts.get("train"):
        return f"data set {train_name!r} has no training posts: run dvc repro prepare"
    if not test.posts.get(study.split):
        return _describe_missing_split(study.split, test_name, test)
    explicit = cell.data.model_fields_set | study.data.model_fields_set
    return (
        _find_missing_knowledge(cell, changes, explicit, train, original)
        or _find_missing_test_input(cell, study.split, test)
        or _find_missing_posts(changes, explicit, original)
        or _find_missing_folds(study.data_sets[train_name], changes, cell, params, sources)
    )


def _describe_missing_split(split: str, name: str, test: Tables) -> str:
    """Return that a data set has no posts of the split that is scored, and how the other one is."""
    splits = [name for name in SPLITS if test.posts.get(name)]
    scored = [name for name in ("valid", "test") if name in splits]
    remedy = f"--split {scored[0]} scores that one" if scored else "put some of its posts aside to be tested on"
    return f"data set {name!r} has no {split} split (it has {', '.join(splits) or 'no posts at all'}): {remedy}"


def _find_missing_labels(study: Study, cell: Cell, sources: Sources) -> str:
    """Return that the extract step has not asked the language model about these posts, if so."""
    data_set = study.data_sets[study.get_data_set(cell.test_on or cell.train_on)]
    source = Source(
        data_set=data_set, changes=study.list_changes(cell), split=study.split, level="text", row=cell.model
    )
    names = {example.id for example in sources.build(source)}
    labelled = {row.id for row in sources.read_extracted(source)}
    if names and names <= labelled:
        return ""
    return "the language model alone was not asked: set llm_row.enabled and run dvc repro extract"


def _find_missing_knowledge(
    cell: Cell, changes: Changes, explicit: set[str], train: Tables, original: Tables
) -> str:
    """Return what is missing of captions and answers, which teachers and students learn from."""
    if cell.model in ("baseline", "control"):
        return ""
    kinds = {kind.value for kind in chain.from_iterable(train.knowledge.values())}
    absent = [kind for kind in changes.kinds if kind not in kinds]
    if (
        changes.kinds
        and not kinds
        and ("kinds" in explicit or changes.knowledge != "intact" or not train.captions)
    ):
        return "there is no knowledge: set ask.kinds and run dvc repro validate"
    if "kinds" in explicit and absent:
        return f"there are no answers of the kind {', '.join(absent)}: add it to ask.kinds"
    if not kinds and not train.captions:
        return "there are no captions: set caption.backend and run dvc repro validate"
    if "caption" in explicit and not original.captions:
        return "there are no captions to leave out: set caption.backend and run dvc repro validate"
    return ""


def _find_missing_test_input(cell: Cell, split: str, test: Tables) -> str:
    """Return what the cell's model would be given at test time and is not there."""
    reads = {"own": "knowledge" if cell.model == "teacher" else "text"}.get(cell.reads, cell.reads)
    names = {post.id for post in test.posts[split]}
    if reads == "text":
        return ""
    if reads == "knowledge" and any(names & set(table) for table in (test.captions, test.knowledge)):
        return ""
    if reads == "caption" and names & set(test.captions):
        return ""
    return f"no post of {split} has a {'caption' if reads == 'caption' else 'caption or an answer'}"


def _find_missing_posts(changes: Changes, explicit: set[str], original: Tables) -> str:
    """Return which posts the cell's changes are about that are not there."""
    if "unlabelled" in explicit and not original.posts.get(UNLABELLED):
        return "there are no unlabelled posts: set data.unlabelled and run dvc repro validate"
    kinds = {row.kind for row in original.augmented}
    absent = [kind for kind in changes.augmented if Kind(kind) not in kinds]
    if "augmented" in explicit and absent:
        return f"there are no augmented posts of the kind {', '.join(absent)}: add it to augment.kinds"
    return ""


def _find_missing_folds(data_set: DataSet, changes: Changes, cell: Cell, params: Params, sources: Sources) -> str:
    """Return why the training posts cannot be cut into folds for the cell's teachers."""
    teach = params.teach
    if teach.folds < 2 or params.distil.way != "frozen" or cell.model not in ("student", "control"):
        return ""
    try:
        sources.draw_folds(data_set, changes, count=teach.folds, seed=teach.seed)
    except DataError as error:
        return f"{error.problem}: {error.remedy}"
    return ""
