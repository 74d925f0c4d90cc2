"""One attempt to make a further training post: a question, and the records that its answer leads to."""

from dataclasses import dataclass, field

from cotpd.augment.params import AugmentParams
from cotpd.data.records import Answer, Augmented, Kind, Post, Quarantined
from cotpd.llm.prompts import Rendered
from cotpd.llm.question import Question

STEP = "augment"  # of the pipeline, as quarantined rows name it


class Rejected(Exception):  # noqa: N818 - a verdict on an answer, not a fault
    """The answer cannot be used; the message says why."""


@dataclass(frozen=True)
class Attempt:
    """A question about a training post.

    Attributes:
        post: The training post.
        kind: style, entity or image.
        rendered: The filled-in prompt.
        candidate: entity: the post with the swapped mention, which waits for its fact check.
        details: entity: the mentions and the group of the swap, for the quarantine table.
    """

    post: Post
    kind: Kind
    rendered: Rendered
    candidate: Post | None = None
    details: dict[str, str] = field(default_factory=dict)

    def build_question(self, params: AugmentParams) -> Question:
        """Return the question to ask; the prompt's own limit on the answer goes before the parameter."""
        length, limit = self.rendered.limit(*params.find_limit(self.kind))
        return Question(self.post.id, self.kind, self.rendered.messages, self.rendered.schema, length, limit)

    def build_augmented(
        self, post: Post, answer: Answer, keep_knowledge: tuple[Kind, ...] = (), caption: str | None = None
    ) -> Augmented:
        """Return the new training example, with an id of its own and the ledger key of its answer.

        Args:
            post: The new post.
            answer: The answer that the example rests on.
            keep_knowledge: The kinds of knowledge about the old post that hold for the new one too.
            caption: A further caption.
        """
        knowledge = {kind: text for kind, text in post.knowledge.items() if kind in keep_knowledge}
        return Augmented(
            post=post.model_copy(update={"id": f"{self.post.id}+{self.kind}", "knowledge": knowledge}),
            of=self.post.id,
            kind=self.kind,
            keep_knowledge=keep_knowledge,
            caption=caption,
            evidence=f"ledger {answer.key}: {' '.join(answer.text.split())}",
        )

    def build_quarantined(self, reason: str, answer: Answer | None = None, remedy: str = "") -> Quarantined:
        """Return the attempt as a row of the quarantine table; without an answer if the question has none."""
        row = {"kind": self.kind.value, "post": (self.candidate or self.post).text, **self.details}
        if answer is not None:
            row |= {"answer": answer.text, "key": answer.key}
        file, line = self.post.file, self.post.line
        return Quarantined(id=self.post.id, step=STEP, reason=reason, remedy=remedy, file=file, line=line, row=row)
