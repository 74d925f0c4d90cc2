"""image: a picture that the model imagines for a post; its description serves as another caption."""

from cotpd.augment.attempt import Attempt
from cotpd.data.records import Answer, Augmented, Kind, Post
from cotpd.expectations.wording import make_plain_line
from cotpd.llm.prompts import PromptSet


def ask(post: Post, prompts: PromptSet) -> Attempt:
    """The question for a post."""
    return Attempt(post, Kind.IMAGE, prompts.render(Kind.IMAGE, text=post.text))


def take(question: Attempt, answer: Answer) -> Augmented:
    """The post as it is, with the imagined caption; what was said about its real picture is not kept."""
    kept = (Kind.NOUN, Kind.SENTENCE)
    return question.augmented(question.post, answer, keep_knowledge=kept, caption=make_plain_line(answer.text))
