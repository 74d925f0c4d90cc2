"""The prompts: one text file a kind, with a YAML head and a Jinja body, checked in full when the set is loaded.

A prompt is data that people edit, so it is a file that a diff shows, not a string in the code. Trade-off: no type
checker finds a mistake in it. So every file of a set is parsed and filled in once with sample fields when the set
is loaded, and a mistake is refused with file and line before a single question is paid for.
"""

import re
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cotpd.data.records import AUGMENT_KINDS, KNOWLEDGE_KINDS, Kind
from cotpd.errors import ConfigError
from cotpd.llm.answer_schema import check_schema
from cotpd.llm.chat_request import Message
from cotpd.llm.prompt_folder import find_prompt_folder
from cotpd.llm.prompt_head import Head, find_line, parse_head

FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.NOUN: ("text",),
    Kind.SENTENCE: ("text",),
    Kind.MULTIMODALITY: ("text", "caption"),
    Kind.STYLE: ("text", "mentions"),
    Kind.ENTITY: ("text", "old", "new", "type"),
    Kind.IMAGE: ("text",),
    Kind.EXTRACT: ("text", "caption", "head", "tail", "labels", "meanings"),
}
SET_KINDS = (*KNOWLEDGE_KINDS, *AUGMENT_KINDS)  # the kinds whose prompts every set has
_SAMPLE_FIELDS = {  # values with which each prompt is tried
    "text": "RT @ada: Charles met her in London , what a day for the two of them !",
    "caption": "two people on a bridge",
    "mentions": ["@ada", "Charles", "London"],
    "old": "Paris",
    "new": "London",
    "type": "LOC",
    "head": "Charles",
    "tail": "London",
    "labels": ("PER", "LOC"),
    "meanings": {"PER": "people"},
}


def enclose(value: str, tag: str) -> str:
    """Wrap text between tags; inside it, anything that looks like such a tag loses its bracket."""
    inside = re.sub(rf"<(?=\s*/?\s*{re.escape(tag)}\b)", "‹", value, flags=re.IGNORECASE)
    return f"<{tag}>\n{inside}\n</{tag}>"


JINJA = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
JINJA.filters["enclose"] = enclose


@dataclass(frozen=True)
class Rendered:
    """A filled-in prompt. ``max_tokens`` None leaves the length to the step's parameter."""

    messages: list[Message]
    schema: dict[str, Any] | None
    max_tokens: int | None
    version: str

    def limit(self, max_tokens: int, parameter: str) -> tuple[int, str]:
        """Return the longest answer and its setting: the prompt's own, otherwise the step's parameter."""
        if self.max_tokens:
            return self.max_tokens, f"max_tokens in the prompt {self.version}"
        return max_tokens, parameter


@dataclass(frozen=True)
class Prompt:
    """One file of a set."""

    path: Path
    kind: Kind
    head: Head
    body: str

    @classmethod
    def read(cls, path: Path, kind: Kind) -> "Prompt":
        """Read and check a prompt file; raises ConfigError naming file and line."""
        try:
            text = path.read_text("utf-8-sig")  # some editors begin a file with a byte order mark
        except FileNotFoundError:
            raise ConfigError(f"{path}: the prompt set has no {kind} prompt", f"Write {path.name}.") from None
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", "A prompt is a file that can be read.") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: not UTF-8", "Save it as UTF-8.") from None
        parts = re.match(r"---\r?\n(.*?)^---[ \t]*\r?\n(.*)\Z", text, re.DOTALL | re.MULTILINE)
        if not parts:
            raise ConfigError(f"{path}:1: no head between two lines of ---", "See cotpd/prompts/default.")
        prompt = cls(path, kind, parse_head(path, parts[1]), parts[2].strip())
        blank = len(parts[2]) - len(parts[2].lstrip())
        first_line = text[: parts.start(2) + blank].count("\n") + 1
        prompt._check_fields(first_line)
        prompt._check_filling(first_line)
        prompt._check_examples()
        prompt._check_schema(parts[1])
        return prompt

    @cached_property
    def _template(self) -> jinja2.Template:
        template = JINJA.from_string(self.body)
        template.globals = dict(template.globals)  # every rendering copies it, and a ChainMap is slow to copy
        return template

    @cached_property
    def _shared_messages(self) -> list[Message]:
        """The messages that are the same for every post, shared by all its questions."""
        system = [{"role": "system", "content": self.head.system.strip()}] if self.head.system else []
        return [*system, *chain.from_iterable(map(self._build_example, self.head.examples))]

    @property
    def version(self) -> str:
        """Set, kind and version, as recorded beside an answer: ``default/noun@2``."""
        return f"{self.path.parent.name}/{self.path.stem}@{self.head.version}"

    def render(self, fields: Mapping[str, Any]) -> Rendered:
        """Fill the prompt in; raises ConfigError if a field that it uses is missing or None."""
        question = {"role": "user", "content": self._fill(fields)}
        return Rendered(
            [*self._shared_messages, question], self.head.json_schema, self.head.max_tokens, self.version
        )

    def _build_example(self, example: Mapping[str, Any]) -> list[Message]:
        fields = {name: value for name, value in example.items() if name != "answer"}
        return [
            {"role": "user", "content": self._fill(fields)},
            {"role": "assistant", "content": str(example["answer"])},
        ]

    def _fill(self, fields: Mapping[str, Any]) -> str:
        present = {name: value for name, value in fields.items() if value is not None}
        try:
            return self._template.render(present)
        except Exception as error:  # a template is code: it can raise anything
            raise self._explain_unfilled(str(self.path), error) from None

    def _explain_unfilled(self, where: str, error: Exception) -> ConfigError:
        return ConfigError(
            f"{where}: cannot be filled in: {error}",
            f"A {self.kind} prompt is given {', '.join(FIELDS[self.kind])}; None counts as missing.",
        )

    def _check_fields(self, first_line: int) -> None:
        """Check that the template compiles, shows the post's text, and names no field that its kind lacks.

        Raises:
            ConfigError: It does not; the message names the line, counted from ``first_line``.
        """
        try:
            used = jinja2.meta.find_undeclared_variables(JINJA.parse(self.body))
            self._template  # noqa: B018 - compiling also finds unknown filters
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(
                f"{self.path}:{first_line + error.lineno - 1}: {error.message}", "Mend the template."
            ) from None
        except RecursionError:
            raise ConfigError(f"{self.path}:{first_line}: nested too deeply", "Mend the template.") from None
        for name in sorted(used - set(FIELDS[self.kind])):
            lines = self.body.splitlines()
            offset = next((n for n, line in enumerate(lines) if re.search(rf"\b{name}\b", line)), 0)
            raise ConfigError(
                f"{self.path}:{first_line + offset}: a {self.kind} prompt has no field {name}",
                f"It has {', '.join(FIELDS[self.kind])}.",
            )
        if "text" not in used:
            raise ConfigError(
                f"{self.path}:{first_line}: the post does not occur in it", "Write {{ text }} where it belongs."
            )

    def _check_filling(self, first_line: int) -> None:
        sample: dict[str, Any] = {name: _SAMPLE_FIELDS[name] for name in FIELDS[self.kind]}
        without_mentions = sample | ({"mentions": []} if "mentions" in sample else {})  # a post may have none
        for fields in (sample, without_mentions):
            try:
                self._template.render(fields)
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                numbers = [frame.lineno for frame in frames if _is_template(frame)]
                where = f"{self.path}:{first_line + (numbers[-1] or 1) - 1}" if numbers else f"{self.path}"
                raise self._explain_unfilled(where, error) from None

    def _check_examples(self) -> None:
        for number, example in enumerate(self.head.examples, 1):
            if "answer" not in example:
                raise ConfigError(f"{self.path}: example {number} has no answer", "Add the key `answer`.")
            self._build_example(example)

    def _check_schema(self, head: str) -> None:
        if self.head.json_schema is None:
            return
        try:
            check_schema(self.head.json_schema)
        except ValueError as error:
            line = find_line(head, "(json_)?schema")
            raise ConfigError(f"{self.path}:{line}: {error}", "See json-schema.org.") from None


def _is_template(frame: traceback.FrameSummary) -> bool:
    return frame.filename == "<template>"  # Jinja's name for a template from a string


@dataclass(frozen=True)
class PromptSet:
    """The six prompts of a folder."""

    folder: Path
    prompts: Mapping[Kind, Prompt]

    @classmethod
    def load(cls, name_or_path: str | Path, kinds: Collection[Kind] = SET_KINDS) -> "PromptSet":
        """Load a shipped set by name (``default``, ``paper``) or any folder with one file a kind.

        Args:
            name_or_path: The set.
            kinds: The kinds that will be asked. If there is none, nothing is read, and the set need not exist.

        Raises:
            ConfigError: There is no such set, or one of its files cannot be used; names file and line.
        """
        if not kinds:
            return cls(Path(name_or_path), {})
        folder = find_prompt_folder(name_or_path)
        return cls(folder, {kind: Prompt.read(folder / f"{kind}.txt", kind) for kind in SET_KINDS})

    def render(self, kind: Kind | str, **fields: Any) -> Rendered:
        """Fill in the prompt of one kind; see FIELDS for what each may use.

        Raises:
            ConfigError: No such kind, a field that the kind does not have, or one that it needs and is missing.
        """
        if kind not in self.prompts:
            raise ConfigError(f"{kind}: there is no such kind of prompt", f"Kinds: {', '.join(SET_KINDS)}.")
        allowed = FIELDS[Kind(kind)]
        for name in fields:
            if name not in allowed:
                raise ConfigError(f"a {kind} prompt has no field {name}", f"It has {', '.join(allowed)}.")
        return self.prompts[Kind(kind)].render(fields)
