"""The prompt that asks for the labels themselves: one file a task, with the inventory in its system message.

Unlike the other prompts its system message is a template too: the inventory stands there once, before the
examples, where servers reuse the work on it. Few-shot examples are training posts, filled into the same body.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cotpd.data.records import Kind
from cotpd.errors import ConfigError
from cotpd.llm.chat_request import Message
from cotpd.llm.prompt_folder import find_extraction_prompt
from cotpd.llm.prompts import FIELDS, JINJA, Prompt

Fields = Mapping[str, Any]


class Shot(NamedTuple):
    """An example of a few-shot prompt: the fields of a training post, and its gold as an answer."""

    fields: Fields
    answer: str


@dataclass(frozen=True)
class ExtractionPrompt:
    """The prompt of one task, for one inventory of labels."""

    prompt: Prompt
    labels: tuple[str, ...]

    @classmethod
    def load(cls, prompt_set: str, task: str, labels: Sequence[str]) -> "ExtractionPrompt":
        """Load a task's prompt from a shipped set, by its name, or from a folder.

        Raises:
            ConfigError: There is no such set, it has no prompt for the task, or the prompt cannot be used.
        """
        path = find_extraction_prompt(prompt_set, task)
        loaded = cls(Prompt.read(path, Kind.EXTRACT), tuple(labels))
        loaded.build_messages({"text": "a post", "head": "a", "tail": "post"}, ())
        return loaded

    def build_messages(self, fields: Fields, shots: Sequence[Shot]) -> list[Message]:
        """Return the messages that ask about one example, after the shots.

        Args:
            fields: ``text``; ``caption`` where it is shown; ``head`` and ``tail`` of a pair.
            shots: Examples, shown as earlier turns.

        Raises:
            ConfigError: The template uses a field that the example does not have.
        """
        messages = [{"role": "system", "content": self._fill_system()}] if self.prompt.head.system else []
        for shot in shots:
            messages += [self._build_question(shot.fields), {"role": "assistant", "content": shot.answer}]
        return [*messages, self._build_question(fields)]

    def _build_question(self, fields: Fields) -> Message:
        return self.prompt.render({**fields, **self._inventory}).messages[-1]

    @property
    def _inventory(self) -> Fields:
        return {"labels": self.labels, "meanings": self.prompt.head.meanings}

    def _fill_system(self) -> str:
        try:
            return JINJA.from_string(self.prompt.head.system or "").render(self._inventory).strip()
        except Exception as error:  # a template is code: it can raise anything
            raise ConfigError(
                f"{self.prompt.path}: its system message cannot be filled in: {error}",
                f"It is given labels and meanings; the body {', '.join(FIELDS[Kind.EXTRACT])}.",
            ) from None
