"""Make further training posts: ask for all of them at once, check the answers, and keep those that pass.

Every draw is seeded by the parameters and the post's id, so that a further post changes no draw for the others, as
long as it brings no new mention. Names are drawn from all training posts, whatever ``data.limit``. Thus the
questions, and with them the paid answers, stay the same.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cotpd.augment import entity, image, style
from cotpd.augment.attempt import STEP, Attempt, Rejected
from cotpd.augment.mentions import Mentions
from cotpd.augment.params import AugmentParams
from cotpd.data.records import AUGMENT_KINDS, Answer, Augmented, Kind, Post, Quarantined, TextRule
from cotpd.engine.ordered_map import LOCAL, Engine
from cotpd.expectations import check_rows
from cotpd.llm.ask import ask_all
from cotpd.llm.outcome import require_answers
from cotpd.llm.params import LlmParams
from cotpd.llm.prompts import PromptSet

Key = tuple[str, Kind]
Counts = dict[str, dict[str, int]]


def augment(
    posts: Sequence[Post],
    params: AugmentParams,
    llm: LlmParams,
    *,
    seed: int,
    max_failed_share: float,
    beyond_limit: Sequence[Post] = (),
    rule: TextRule = "social",
    progress: bool = True,
    engine: Engine = LOCAL,
) -> tuple[list[Augmented], list[Quarantined], Counts]:
    """Augment training posts in the ways that ``params.kinds`` names.

    Args:
        posts: Posts of the training split and of no other, which cannot be checked here: replacements are drawn
            from their mentions, and the new posts are trained on.
        params: The kinds, the share of posts, the prompts.
        llm: The model and its ledger.
        seed: Seeds the draws.
        max_failed_share: The largest share of questions that may stay unanswered.
        beyond_limit: Training posts that ``data.limit`` left out; their mentions are replacements too.
        rule: The rule by which new text becomes words.
        progress: Show how many questions are answered.
        engine: Whose machines ask.

    Returns:
        The new posts in the order of the old ones; the rejected attempts, with reasons; and for each kind how many
        attempts were kept, rejected and unanswered, and how many posts were unsuitable (nothing to swap).

    Raises:
        ConfigError: A prompt or the suite cannot be used.
        LlmError: The model does not answer, or leaves more than the allowed share unanswered.
    """
    run = _Augmentation(params, seed, Mentions.from_posts([*posts, *beyond_limit]), rule)
    run.draw_attempts(posts)
    run.judge(run.ask(llm, max_failed_share, progress, engine))
    return run.list_kept(), run.list_rejected(), run.count_outcomes()


def list_attempts(
    posts: Sequence[Post],
    params: AugmentParams,
    *,
    seed: int,
    beyond_limit: Sequence[Post] = (),
    rule: TextRule = "social",
) -> list[Attempt]:
    """Return the attempts that :func:`augment` would make, in its order, without asking the model.

    Raises:
        ConfigError: A prompt cannot be used.
    """
    run = _Augmentation(params, seed, Mentions.from_posts([*posts, *beyond_limit]), rule)
    run.draw_attempts(posts)
    return list(run.attempts.values())


@dataclass
class _Augmentation:
    """The attempts of one run, and the outcome of each."""

    params: AugmentParams
    seed: int
    mentions: Mentions
    rule: TextRule
    attempts: dict[Key, Attempt] = field(default_factory=dict)
    kept: dict[Key, Augmented] = field(default_factory=dict)
    rejected: dict[Key, Quarantined] = field(default_factory=dict)
    unanswered: set[Key] = field(default_factory=set)
    unsuitable: Counter[Kind] = field(default_factory=Counter)

    @property
    def kinds(self) -> list[Kind]:
        """The kinds to make, in an order that does not depend on the parameter file."""
        return [kind for kind in AUGMENT_KINDS if kind in self.params.kinds]

    def draw_attempts(self, posts: Sequence[Post]) -> None:
        """Build an attempt for each post and kind that the share draws."""
        prompts = PromptSet.load(self.params.prompts, self.kinds)
        for post in posts:
            for kind in self.kinds:
                rng = random.Random(f"{self.seed}/{kind}/{post.id}")
                if rng.random() >= self.params.share:
                    continue
                attempt = self._build_attempt(kind, post, prompts, rng)
                if attempt is None:
                    self.unsuitable[kind] += 1
                else:
                    self.attempts[post.id, kind] = attempt

    def _build_attempt(self, kind: Kind, post: Post, prompts: PromptSet, rng: random.Random) -> Attempt | None:
        if kind is Kind.STYLE:
            return style.build_attempt(post, prompts)
        if kind is Kind.ENTITY:
            return entity.build_attempt(post, prompts, self.mentions, rng, self.rule)
        return image.build_attempt(post, prompts)

    def ask(self, llm: LlmParams, max_failed_share: float, progress: bool, engine: Engine) -> list[Answer]:
        """Ask all questions and note those without an answer; raises LlmError if they are too many."""
        if not self.attempts:
            return []
        questions = [attempt.build_question(self.params) for attempt in self.attempts.values()]
        result = ask_all(questions, llm, progress=progress, step=STEP, engine=engine)
        require_answers(result.failed, len(questions), max_failed_share, "validate.max_failed_share")

        for row in result.failed:
            key = (row.id, Kind(row.row["kind"]))
            self.unanswered.add(key)
            self.rejected[key] = self.attempts[key].build_quarantined(row.reason, remedy=row.remedy)
        return result.answers

    def judge(self, answers: Sequence[Answer]) -> None:
        """Keep the posts of answers that pass all checks, and note why the others do not."""
        post_of = {attempt.post.id: attempt.post for attempt in self.attempts.values()}
        _, failed = check_rows(answers, "augmented", post_of, step=STEP)
        reasons = {(row.id, Kind(row.row["kind"])): row.reason for row in failed}
        for answer in answers:
            key = (answer.id, answer.kind)
            try:
                if key in reasons:
                    raise Rejected(reasons[key])
                self.kept[key] = self._accept_answer(self.attempts[key], answer)
            except Rejected as rejection:
                self.rejected[key] = self.attempts[key].build_quarantined(str(rejection), answer)

    def _accept_answer(self, attempt: Attempt, answer: Answer) -> Augmented:
        """Return the new post; raises Rejected if the answer fails the check of its kind."""
        if attempt.kind is Kind.STYLE:
            return style.accept_answer(attempt, answer, self.mentions.surfaces, self.rule)
        if attempt.kind is Kind.ENTITY:
            return entity.accept_answer(attempt, answer)
        return image.accept_answer(attempt, answer)

    def list_kept(self) -> list[Augmented]:
        """Return the new posts, in the order of the attempts."""
        return [self.kept[key] for key in self.attempts if key in self.kept]

    def list_rejected(self) -> list[Quarantined]:
        """Return the rejected and unanswered attempts, in order."""
        return [self.rejected[key] for key in self.attempts if key in self.rejected]

    def count_outcomes(self) -> Counts:
        """Count the outcomes of each kind."""
        counts = {
            kind.value: {"kept": 0, "rejected": 0, "unanswered": 0, "unsuitable": self.unsuitable[kind]}
            for kind in self.kinds
        }
        for key in self.attempts:
            outcome = "kept" if key in self.kept else "unanswered" if key in self.unanswered else "rejected"
            counts[key[1].value][outcome] += 1
        return counts
