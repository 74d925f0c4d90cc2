"""One attempt to augment a post: what was asked, and what becomes of an answer."""

from dataclasses import dataclass, field

from cotpd.augment.params import AugmentParams
from cotpd.data.records import Answer, Augmented, Kind, Post, Quarantined
from cotpd.llm.prompts import Rendered
from cotpd.llm.question import Question

STEP = "augment"


class Rejected(Exception):  # noqa: N818 - a verdict on an answer, not a fault
    """The answer cannot be used; the message says why."""


@dataclass(frozen=True)
class Attempt:
    """A question about a training post; ``made`` is the post that a yes would keep, ``about`` how it was made."""

    post: Post
    kind: Kind
    rendered: Rendered
    made: Post | None = None
    about: dict[str, str] = field(default_factory=dict)

    def build_question(self, params: AugmentParams) -> Question:
        """The question as it is asked; the length under ``augment`` holds unless the prompt sets its own."""
        length, limit = self.rendered.limit(*params.limit_of(self.kind))
        return Question(self.post.id, self.kind, self.rendered.messages, self.rendered.schema, length, limit)

    def augmented(
        self, post: Post, answer: Answer, keep_knowledge: tuple[Kind, ...] = (), caption: str | None = None
    ) -> Augmented:
        """A training example under an id of its own, with the ledger key of the answer that it rests on."""
        kept = {kind: text for kind, text in post.knowledge.items() if kind in keep_knowledge}
        return Augmented(
            post=post.model_copy(update={"id": f"{self.post.id}+{self.kind}", "knowledge": kept}),
            of=self.post.id,
            kind=self.kind,
            keep_knowledge=keep_knowledge,
            caption=caption,
            evidence=f"ledger {answer.key}: {' '.join(answer.text.split())}",
        )

    def quarantined(self, reason: str, answer: Answer | None = None, remedy: str = "") -> Quarantined:
        """The attempt as a row of the quarantine table."""
        row = {"kind": self.kind.value, "post": (self.made or self.post).text, **self.about}
        if answer is not None:
            row |= {"answer": answer.text, "key": answer.key}
        file, line = self.post.file, self.post.line
        return Quarantined(id=self.post.id, step=STEP, reason=reason, remedy=remedy, file=file, line=line, row=row)
