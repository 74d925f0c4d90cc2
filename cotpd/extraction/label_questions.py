"""The questions for labels: one an example to score, for each row of the result."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from cotpd.data.records import Kind
from cotpd.extraction.answer_forms import AnswerForm, find_form
from cotpd.extraction.params import LlmRowParams
from cotpd.extraction.shots import build_chooser
from cotpd.llm.extraction_prompt import ExtractionPrompt, Fields, Shot
from cotpd.llm.question import Question
from cotpd.student.examples import Example
from cotpd.student.tasks import TaskName, find_task


class LabelQuestion(NamedTuple):
    """A question, the example that it is about, and the row of the result that it is for."""

    row: str
    split: str
    example: Example
    question: Question


def build_label_questions(
    examples: Mapping[str, Sequence[Example]],
    pool: Sequence[Example],
    *,
    task: TaskName,
    labels: Sequence[str],
    params: LlmRowParams,
) -> Iterator[LabelQuestion]:
    """Yield the questions for every row, row by row, so that a server meets one beginning at a time.

    Args:
        examples: To label, by split. Their gold is not shown.
        pool: Training examples, the only ones that are shown with their gold.
        task: Whose labels.
        labels: The inventory.
        params: The rows, the prompt, how the shots are chosen.

    Raises:
        ConfigError: The prompt cannot be used.
    """
    rows = params.list_rows()
    if not rows:
        return
    form = find_form(find_task(task))
    prompt = ExtractionPrompt.load(params.prompts, task, labels)
    for row, count in rows.items():
        choose = build_chooser(pool, count, params)
        for split, members in examples.items():
            for example in members:
                shots = [Shot(_list_fields(shot, params), form.write_gold(shot)) for shot in choose(example)]
                yield LabelQuestion(row, split, example, _build(prompt, form, example, shots, params))


def _build(
    prompt: ExtractionPrompt, form: AnswerForm, example: Example, shots: Sequence[Shot], params: LlmRowParams
) -> Question:
    head = prompt.prompt.head
    limit = f"max_tokens in the prompt {prompt.prompt.version}" if head.max_tokens else "llm_row.max_tokens"
    return Question(
        example.id,
        Kind.EXTRACT,
        prompt.build_messages(_list_fields(example, params), shots),
        form.build_schema(prompt.labels),
        head.max_tokens or params.max_tokens,
        limit,
        reading_schema=form.lenient_schema,
    )


def _list_fields(example: Example, params: LlmRowParams) -> Fields:
    """Return what a prompt may show of an example: nothing of its gold."""
    fields = {"text": example.text, "caption": example.caption if params.caption else None}
    for name, span in (("head", example.head), ("tail", example.tail)):
        if span is not None:
            fields[name] = example.text[example.offsets[span[0]][0] : example.offsets[span[1] - 1][1]]
    return fields
