"""image: let the model imagine a picture for a post; its description serves as another caption."""

from cotpd.augment.attempt import Attempt
from cotpd.data.records import Answer, Augmented, Kind, Post
from cotpd.expectations.wording import make_plain_line
from cotpd.llm.prompts import PromptSet

_INDEPENDENT_OF_PICTURE = (Kind.NOUN, Kind.SENTENCE)


def build_attempt(post: Post, prompts: PromptSet) -> Attempt:
    """Return the question for the description of a picture."""
    return Attempt(post, Kind.IMAGE, prompts.render(Kind.IMAGE, text=post.text))


def accept_answer(attempt: Attempt, answer: Answer) -> Augmented:
    """Return the post as it is with the imagined caption, without the knowledge about its real picture."""
    caption = make_plain_line(answer.text)
    return attempt.build_augmented(attempt.post, answer, keep_knowledge=_INDEPENDENT_OF_PICTURE, caption=caption)
