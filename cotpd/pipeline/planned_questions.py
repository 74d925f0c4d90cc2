"""Every question that the ask, augment and extract steps would ask, built as these steps build it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from cotpd.augment.pipeline import list_attempts
from cotpd.config import Params
from cotpd.data.load import Dataset, load_dataset
from cotpd.data.records import AUGMENT_KINDS, KNOWLEDGE_KINDS, Caption, Kind, Post
from cotpd.data.split_checks import require_task_labels, select_usable, set_faulty_aside
from cotpd.data.unlabelled import load_unlabelled
from cotpd.expectations import validate_captions
from cotpd.extraction.label_questions import build_label_questions
from cotpd.images.captioner import tidy_caption
from cotpd.images.picture_encoder import build_picture_encoder
from cotpd.knowledge.possible_retries import iterate_possible_retries
from cotpd.knowledge.questions import build_questions
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.pipeline.workspace import BEYOND_LIMIT, Workspace
from cotpd.student.examples import Example, build_examples
from cotpd.student.tasks import find_task

_STAND_IN_CAPTION = "a caption of about a dozen words, which no step has made yet"


@dataclass(frozen=True)
class PlannedQuestion:
    """A question, and whether a stand-in takes the place of the caption in it."""

    question: Question
    has_stand_in: bool = False


def iterate_questions(params: Params, *, require_labels: bool = False) -> Iterator[PlannedQuestion]:
    """Yield every question of the ask, augment and extract steps.

    Args:
        params: All parameters.
        require_labels: Refuse posts that no model can learn the task from. Comparing models needs no labels.

    Raises:
        DataError: The data set cannot be read, or is not annotated for the task.
        ConfigError: A prompt cannot be used.
    """
    dataset, labels, posts = _load_posts(params, require_labels=require_labels)
    captions, stand_ins = _collect_captions(posts, params)
    for question in build_questions(posts, captions, params.ask, build_picture_encoder(params.data, params.llm)):
        shows_caption = question.kind is Kind.MULTIMODALITY and isinstance(question.messages[-1]["content"], str)
        yield PlannedQuestion(question, has_stand_in=shows_caption and question.id in stand_ins)

    training_posts = dataset.posts.get("train", [])
    attempts = list_attempts(
        training_posts,
        params.augment,
        seed=params.seed,
        beyond_limit=dataset.beyond_limit,
        rule=dataset.words.text_rule,
    )
    for attempt in attempts:
        yield PlannedQuestion(attempt.build_question(params.augment))
    yield from _iterate_label_questions(dataset, labels, captions, stand_ins, params)


def iterate_retries(
    params: Params, *, require_labels: bool = False
) -> Iterator[tuple[PlannedQuestion, LlmParams]]:
    """Yield the questions that the validate step may ask again at most, and the parameters that it asks with.

    Raises:
        DataError, ConfigError, LlmError: As for the first questions; the ledger is read.
    """
    if not params.validate_.reask:
        return
    _, _, posts = _load_posts(params, require_labels=require_labels)
    captions, _ = _collect_captions(posts, params)
    questions = list(build_questions(posts, captions, params.ask, build_picture_encoder(params.data, params.llm)))
    retries = iterate_possible_retries(
        questions, posts, params=params.validate_, draws=params.ask.answers, llm=params.llm
    )
    for question, llm in retries:
        yield PlannedQuestion(question), llm


def _load_posts(params: Params, *, require_labels: bool) -> tuple[Dataset, list[str], list[Post]]:
    """Return the data set, the names of its labels, and every post that is asked about, unlabelled ones last."""
    dataset = load_dataset(params.data)
    labels = dataset.list_label_names(find_task(params.task))
    unlabelled = load_unlabelled(params.data, dataset.posts, words=dataset.words).posts
    if require_labels:
        dataset = _prepare(dataset, params)
    return dataset, list(labels), [*chain.from_iterable(dataset.posts.values()), *unlabelled]


def _prepare(dataset: Dataset, params: Params) -> Dataset:
    """Return a data set with the posts that the step prepare writes.

    Raises:
        DataError: It is not annotated for the task.
    """
    task = find_task(params.task)
    require_task_labels(dataset.posts, task, params.data.path, dataset.ignored_keys)
    accepted, _ = set_faulty_aside({**dataset.posts, BEYOND_LIMIT: dataset.beyond_limit}, task)
    posts = {split: select_usable(rows, task) for split, rows in accepted.items()}
    beyond_limit = posts.pop(BEYOND_LIMIT)
    return replace(dataset, posts=posts, beyond_limit=beyond_limit)


def _iterate_label_questions(
    dataset: Dataset,
    labels: Sequence[str],
    captions: Mapping[str, str | None],
    stand_ins: set[str],
    params: Params,
) -> Iterator[PlannedQuestion]:
    """Yield the questions of the extract step, for the splits that are scored."""
    if params.llm_row.enabled is not True:  # recorded asks nothing
        return
    shown = _select_shown(dataset, captions, stand_ins, params)
    posts = {split: dataset.posts.get(split, []) for split in params.evaluate.splits}
    examples: dict[str, list[Example]] = {
        split: build_examples(rows, params.task, shown, {}) for split, rows in posts.items()
    }
    beyond_limit = [] if params.llm_row.caption else dataset.beyond_limit  # as the step extract
    pool = build_examples([*dataset.posts.get("train", []), *beyond_limit], params.task, shown, {})
    questions = build_label_questions(examples, pool, task=params.task, labels=labels, params=params.llm_row)
    for row in questions:
        has_stand_in = bool(stand_ins) and _STAND_IN_CAPTION in str(row.question.messages)  # its shots' too
        yield PlannedQuestion(row.question, has_stand_in=has_stand_in)


def _select_shown(
    dataset: Dataset, captions: Mapping[str, str | None], stand_ins: set[str], params: Params
) -> dict[str, str]:
    """Return the captions that the extract step shows: none of those that fail their checks.

    Checking takes seconds, and captions are shown where llm_row.caption says so alone.
    """
    if not params.llm_row.caption:
        return {}
    posts = list(chain.from_iterable(dataset.posts.values()))
    backend = params.caption.backend
    rows = [
        Caption(id=post.id, image=post.image, caption=captions.get(post.id), backend=backend)
        for post in posts
        if post.id not in stand_ins
    ]
    lenient = params.validate_.model_copy(update={"max_failed_share": 1.0})
    passed, _ = validate_captions(rows, posts, lenient)
    checked = {row.id: row.caption for row in passed if row.caption}
    return checked | dict.fromkeys(stand_ins, _STAND_IN_CAPTION)


def replace_kinds(params: Params, kinds: Iterable[Kind]) -> Params:
    """Return the parameters with exactly these kinds of question, whether or not they had them before."""
    chosen = set(kinds)
    ask_kinds = tuple(kind for kind in KNOWLEDGE_KINDS if kind in chosen)
    augment_kinds = tuple(kind for kind in AUGMENT_KINDS if kind in chosen)
    llm_row = params.llm_row.model_copy(update={"enabled": Kind.EXTRACT in chosen})
    return params.model_copy(
        update={
            "ask": params.ask.model_copy(update={"kinds": ask_kinds}),
            "augment": params.augment.model_copy(update={"kinds": augment_kinds}),
            "llm_row": llm_row,
        }
    )


def _read_own_caption(post: Post) -> str | None:
    """Return the caption that came with a post as the caption step writes it."""
    return tidy_caption(post.caption or "")[0]


def _collect_captions(posts: Sequence[Post], params: Params) -> tuple[Mapping[str, str | None], set[str]]:
    """Return the captions by post id, and the ids of the posts whose caption is a stand-in.

    A caption is that of the caption step, or that of the data set where the captioner takes it from there. A
    picture that no step has described yet gets a stand-in of usual length.
    """
    workspace = Workspace()
    rows = workspace.read_unchecked_captions() if workspace.captions.is_file() else []
    captions = {row.id: row.caption for row in rows}
    stand_ins: set[str] = set()
    for post in posts:
        if post.id in captions:
            continue
        if params.caption.backend in ("dataset", "none"):
            captions[post.id] = _read_own_caption(post) if params.caption.backend == "dataset" else None
        elif post.image:
            captions[post.id] = _STAND_IN_CAPTION
            stand_ins.add(post.id)
    return captions, stand_ins
