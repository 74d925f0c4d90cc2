"""Explanations of a student's predictions, computed for one post and drawn for a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cotpd.cli.posts import PostRow
from cotpd.data.tokenization import tokenize
from cotpd.evaluation.explanation import Claim, Explanation, Look, Support, cut_excerpt, explain, shorten
from cotpd.pipeline.training_examples import read_original_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.student.neighbours import Neighbours
from cotpd.student.prediction_input import read_input
from cotpd.student.student import Student

__all__ = ["Student", "build_index", "explain_post", "print_explanation"]

SHOWN_WORDS = 5  # of a prompt's attention
TEXT_WIDTH = 240  # characters of a training post, unless --full is given
ANSWER_WIDTH = 160  # characters of a caption or an answer, likewise


def build_index(student: Student, folder: Path, workspace: Workspace) -> Neighbours:
    """Build the index of the training posts that a student was trained on, without the augmented ones."""
    examples = read_original_examples(workspace, student.labels.task, "train")
    return Neighbours.build(student, folder, examples)


def explain_post(index: Neighbours, post: PostRow, nearest: int) -> Explanation:
    """Predict one post and look up the nearest training posts of each prediction.

    Raises:
        DataError: The row is not what the student's task reads, for example a pair that is not in the text.
    """
    student = index.student
    row = read_input(student.labels.task, post.row, post.where)
    example = student.build_example(row)
    if example is None:
        return Explanation("text", row.text, [], None)
    (explanation,) = explain(index, [example], student.predict_examples([example]), nearest)
    return explanation


def print_explanation(explanation: Explanation, console: Console, width: int | None) -> None:
    """Print a post, its predictions with their training posts, and the attention of the prompts.

    Args:
        explanation: The explanation of one post, its control characters marked.
        console: Where to print.
        width: Characters after which posts and answers are shortened; None takes the usual ones.
    """
    console.print(_colour_by_attention(explanation), soft_wrap=True)
    if not explanation.claims:
        console.print("nothing found in it", style="dim")
    for claim in explanation.claims:
        console.print()
        console.print(_format_headline(claim))
        for neighbour in claim.neighbours:
            console.print(_draw_neighbour(neighbour, width))
    console.print()
    console.print(*_draw_attention(explanation), sep="\n")
    console.print()


def _colour_by_attention(explanation: Explanation) -> Text:
    """Return the post, each word the darker the more the prompts look at it."""
    line = Text(explanation.text)
    words = explanation.attention.words if explanation.attention else []
    highest = max((word.weight for word in words), default=0)
    if not highest:
        return line
    for word in words:
        blue = int(255 - 175 * word.weight / highest)
        line.stylize(f"black on rgb(255,{(255 + blue) // 2},{blue})", word.start, word.end)
    return line


def _format_headline(claim: Claim) -> Text:
    mentions = " → ".join(mark.text for mark in claim.marks)
    label = (f"{claim.label} {claim.score:.2f}", "bold cyan")
    return Text.assemble(label, "  ", (mentions, "bold")) if mentions else Text.assemble(label)


def _draw_neighbour(neighbour: Support, width: int | None) -> RenderableType:
    """Draw one training post: similarity, text with its gold mention, and below it the reasoning chain."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True, min_width=13)
    grid.add_column()
    grid.add_row(f"{neighbour.similarity:.2f}  near", _mark_gold(neighbour, width))
    for kind, text in neighbour.chain.items():
        grid.add_row(kind, Text(shorten(text, width or ANSWER_WIDTH)))
    if not neighbour.chain:
        grid.add_row("", Text("no caption and no answers were kept for this post", style="dim"))
    grid.add_row("post", Text(neighbour.id, style="dim"))
    return Padding(grid, (0, 0, 0, 2))


def _mark_gold(neighbour: Support, width: int | None) -> Text:
    """Return a training post's text: mentions in brackets with their role, the label of a pair or post behind."""
    line = Text()
    for piece, role in cut_excerpt(neighbour.text, neighbour.marks, width or TEXT_WIDTH):
        line.append(f"[{piece} {role}]" if role else piece, style="bold" if role else "")
    is_shown = any(mark.role == neighbour.label for mark in neighbour.marks)
    return line if is_shown else line.append(f"  {neighbour.label}", style="bold")


def _draw_attention(explanation: Explanation) -> list[RenderableType]:
    """Draw the words that the prompts look at most: on average, and prompt by prompt."""
    attention = explanation.attention
    if attention is None:
        reason = "This model reads no prompts" if tokenize(explanation.text) else "There is no word in it"
        return [Text(f"{reason}, so there is no prompt attention.", style="dim")]

    top = sorted(attention.words, key=lambda word: -word.weight)[:SHOWN_WORDS]
    even = (1 - attention.elsewhere) / max(len(attention.words), 1)
    spread = f"on no word {attention.elsewhere:.0%}; evenly spread {even:.0%} a word"
    mean = Text(f"prompts look at  {_format_words(top)}  ({spread})")
    prompts = [
        Text(f"{number:2} {_format_words(words)}", style="dim")
        for number, words in enumerate(attention.queries, 1)
    ]
    return [mean, Columns(prompts, column_first=True, padding=(0, 3))]


def _format_words(words: Sequence[Look]) -> str:
    return ", ".join(f"{word.text} {word.weight:.0%}" for word in words)
