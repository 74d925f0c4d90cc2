"""From training posts to further ones: ask for all of them at once, check the answers, keep what holds.

Every draw is seeded by the parameters and the post's id, so that a post more changes no draw for the others, as
long as it brings no new mention. Names are drawn from all training posts, whatever ``data.limit``. That makes the
questions, and with them the paid answers, stay the same.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cotpd.augment import entity, image, style
from cotpd.augment.attempt import STEP, Attempt, Rejected
from cotpd.augment.mentions import Mentions
from cotpd.config import Params
from cotpd.data.records import AUGMENT_KINDS, Answer, Augmented, Kind, Post, Quarantined
from cotpd.errors import LlmError
from cotpd.expectations import check_rows
from cotpd.llm.ask import AskResult, ask_all
from cotpd.llm.prompts import PromptSet

Key = tuple[str, Kind]
Counts = dict[str, dict[str, int]]


def augment(
    posts: Sequence[Post], params: Params, beyond: Sequence[Post] = (), *, progress: bool = True
) -> tuple[list[Augmented], list[Quarantined], Counts]:
    """Augment training posts in the ways that ``params.augment.kinds`` names.

    Args:
        posts: Posts of the training split and of no other, which cannot be checked here: replacements are drawn
            from their mentions, and what comes out is trained on.
        params: Seed, augment and llm; of validate, the share of requests that may go unanswered.
        beyond: Training posts that ``data.limit`` left out: their mentions may be swapped in, as without a limit.
        progress: Show how far the asking has come.

    Returns:
        New posts in the order of the old ones; what was rejected, with reasons; and for each kind how many posts
        were kept, rejected, unanswered, and unsuitable (no entity of theirs can be swapped).

    Raises:
        ConfigError: A prompt or the suite cannot be used.
        LlmError: The model does not answer, or leaves more than the allowed share unanswered.
    """
    run = _Run(params, Mentions.of([*posts, *beyond]))
    if run.kinds:
        run.prepare(posts)
    run.take(run.ask(progress))
    return run.kept_rows(), run.rejected_rows(), run.counts()


def questions(posts: Sequence[Post], params: Params, beyond: Sequence[Post] = ()) -> list[Attempt]:
    """What :func:`augment` would ask about these training posts, in its order, without asking it.

    Raises:
        ConfigError: A prompt cannot be used.
    """
    run = _Run(params, Mentions.of([*posts, *beyond]))
    if run.kinds:
        run.prepare(posts)
    return list(run.questions.values())


@dataclass
class _Run:
    """The questions, and what became of each."""

    params: Params
    mentions: Mentions
    questions: dict[Key, Attempt] = field(default_factory=dict)
    kept: dict[Key, Augmented] = field(default_factory=dict)
    rejected: dict[Key, Quarantined] = field(default_factory=dict)
    unanswered: set[Key] = field(default_factory=set)
    unsuitable: Counter[Kind] = field(default_factory=Counter)

    @property
    def kinds(self) -> list[Kind]:
        """The kinds to make, in one order however they are written."""
        return [kind for kind in AUGMENT_KINDS if kind in self.params.augment.kinds]

    def prepare(self, posts: Sequence[Post]) -> None:
        """Put a question for each post and kind that the share draws."""
        prompts = PromptSet.load(self.params.augment.prompts)
        for post in posts:
            for kind in self.kinds:
                rng = random.Random(f"{self.params.seed}/{kind}/{post.id}")
                if rng.random() >= self.params.augment.share:
                    continue
                question = self._question(kind, post, prompts, rng)
                if question is None:
                    self.unsuitable[kind] += 1
                else:
                    self.questions[post.id, kind] = question

    def _question(self, kind: Kind, post: Post, prompts: PromptSet, rng: random.Random) -> Attempt | None:
        if kind is Kind.STYLE:
            return style.ask(post, prompts)
        if kind is Kind.ENTITY:
            return entity.ask(post, prompts, self.mentions, rng)
        return image.ask(post, prompts)

    def ask(self, progress: bool) -> list[Answer]:
        """Ask everything; raises LlmError if too much of it stays unanswered."""
        if not self.questions:
            return []
        requests = [question.build_question(self.params.augment) for question in self.questions.values()]
        result = ask_all(requests, self.params.llm, progress=progress, step=STEP)
        _refuse_silence(result, len(requests), self.params.validate_.max_failed_share)
        for row in result.failed:
            key = (row.id, Kind(row.row["kind"]))
            self.unanswered.add(key)
            self.rejected[key] = self.questions[key].quarantined(row.reason, remedy=row.remedy)
        return result.answers

    def take(self, answers: Sequence[Answer]) -> None:
        """Keep what holds of the answers, and note why the others do not."""
        by_id = {question.post.id: question.post for question in self.questions.values()}
        _, bad = check_rows(answers, "augmented", by_id, step=STEP)
        reasons = {(row.id, Kind(row.row["kind"])): row.reason for row in bad}
        for answer in answers:
            key = (answer.id, answer.kind)
            try:
                if key in reasons:
                    raise Rejected(reasons[key])
                self.kept[key] = self._taken(self.questions[key], answer)
            except Rejected as reason:
                self.rejected[key] = self.questions[key].quarantined(str(reason), answer)

    def _taken(self, question: Attempt, answer: Answer) -> Augmented:
        if question.kind is Kind.STYLE:
            return style.take(question, answer, self.mentions.every)
        if question.kind is Kind.ENTITY:
            return entity.take(question, answer)
        return image.take(question, answer)

    def kept_rows(self) -> list[Augmented]:
        """New posts, in the order of the questions."""
        return [self.kept[key] for key in self.questions if key in self.kept]

    def rejected_rows(self) -> list[Quarantined]:
        """The other attempts, in the order of the questions."""
        return [self.rejected[key] for key in self.questions if key in self.rejected]

    def counts(self) -> Counts:
        """What became of the posts, by kind."""
        counts = {
            kind.value: {"kept": 0, "rejected": 0, "unanswered": 0, "unsuitable": self.unsuitable[kind]}
            for kind in self.kinds
        }
        for key in self.questions:
            fate = "kept" if key in self.kept else "unanswered" if key in self.unanswered else "rejected"
            counts[key[1].value][fate] += 1
        return counts


def _refuse_silence(result: AskResult, asked: int, allowed: float) -> None:
    if len(result.failed) > allowed * asked:
        first = result.failed[0]
        raise LlmError(
            f"{len(result.failed)} of {asked} requests failed, first: {first.reason}",
            f"{first.remedy} Every answer so far is in the ledger; validate.max_failed_share may be raised.",
        )
