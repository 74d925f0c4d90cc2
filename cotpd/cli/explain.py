"""`cotpd explain`: for each prediction the nearest training posts, their reasoning chains, and the attention."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotpd.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from cotpd.evaluation.explanation import Claim, Explanation, Look, Looks, Support
    from cotpd.student.neighbours import Neighbours

NEAREST = 3
SHOWN = 5  # words of the mean attention


def explain(
    texts: Annotated[list[str] | None, typer.Argument(help="Posts.", show_default=False)] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN/student; else the challenger."
        ),
    ] = None,
    data: Annotated[
        Path, typer.Option(help="What it was trained on: a folder with prepared/ and validated/.")
    ] = Path("data"),
    file: Annotated[
        str | None,
        typer.Option(help="One post a line, or JSON Lines if named .jsonl; - reads standard input."),
    ] = None,
    head: Annotated[str | None, typer.Option(help="Relations: the first mention, as the text has it.")] = None,
    tail: Annotated[str | None, typer.Option(help="Relations: the second mention.")] = None,
    nearest: Annotated[int, typer.Option(min=1, help="Training posts to show for each prediction.")] = NEAREST,
    full: Annotated[bool, typer.Option("--full", help="Do not shorten posts and answers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines, nothing shortened.")] = False,
) -> None:
    """Show what stands behind each prediction: near training posts, their reasoning chains, prompt attention.

    It is evidence, not the cause of a prediction: see docs/explain.md. The first call reads all training posts.

    \b
    Examples:
      cotpd explain "Eileen Collins waves from the pad at Kennedy Space Center"
      cotpd explain --model models/student --nearest 1 --file posts.txt --json
      cotpd explain --head "Collins" --tail "NASA" "Collins leaves NASA after 16 years"
    """
    from rich.console import Console

    from cotpd.cli.predict import chosen, read_rows
    from cotpd.models import folder_of

    rows = read_rows(texts or [], file, head, tail)
    index = _index(folder_of(chosen(model)), data)
    console = Console(highlight=False)
    for found in _explained(index, rows, nearest):
        if as_json:
            print(json.dumps(asdict(found), ensure_ascii=False), flush=True)
        else:
            _print(found, console, 10**6 if full else 0)


def _index(folder: Path, data: Path) -> "Neighbours":
    posts = data / "prepared" / "train.jsonl"
    for needed in (posts, data / "validated" / "captions.jsonl", data / "validated" / "knowledge.jsonl"):
        if not needed.is_file():
            raise DataError(
                f"{needed}: there is no such table, so there are no training posts to show",
                "Name the folder of the data that the model was trained on with --data, or make it: dvc repro.",
            )
    from cotpd.data.checked import read_captions, read_knowledge
    from cotpd.data.records import Post
    from cotpd.data.tables import read_table
    from cotpd.student import Student
    from cotpd.student.examples import build_examples
    from cotpd.student.neighbours import Neighbours

    student = Student.from_pretrained(folder)
    checked = data / "validated"
    learnt = (read_table(posts, Post), student.labels.task, read_captions(checked), read_knowledge(checked))
    return Neighbours.build(student, folder, build_examples(*learnt))


def _explained(index: "Neighbours", rows: Iterable[dict[str, Any]], nearest: int) -> "Iterator[Explanation]":
    """One post at a time: somebody reads them, and may be typing them."""
    from cotpd.evaluation.explanation import Explanation, explain
    from cotpd.registry.rows import read_example

    for number, row in enumerate(rows, 1):
        example = read_example(index.student.labels.task, row, number)
        if example is None:
            yield Explanation("text", row["text"], [], None)
        else:
            yield from explain(index, [example], index.student.predict_examples([example]), nearest)


def _print(found: "Explanation", console: "Console", width: int) -> None:
    console.print(_post(found), soft_wrap=True)
    if not found.claims:
        console.print("nothing found in it", style="dim")
    for claim in found.claims:
        console.print()
        console.print(_headline(claim))
        for near in claim.neighbours:
            console.print(_near(near, width))
    console.print()
    console.print(*_attention(found.attention), sep="\n")
    console.print()


def _post(found: "Explanation") -> "Text":
    """The post, each word the darker the more the prompts look at it."""
    from rich.text import Text

    line = Text(found.text)
    most = max((word.weight for word in found.attention.words), default=0) if found.attention else 0
    for word in found.attention.words if found.attention and most else ():
        pale = int(255 - 175 * word.weight / most)
        line.stylize(f"black on rgb(255,{(255 + pale) // 2},{pale})", word.start, word.end)
    return line


def _headline(claim: "Claim") -> "Text":
    from rich.text import Text

    mentions = " → ".join(mark.text for mark in claim.marks)
    return Text.assemble((f"{claim.label} {claim.score:.2f}", "bold cyan"), "  ", (mentions, "bold"))


def _near(near: "Support", width: int) -> "RenderableType":
    """One training post: similarity, text with its gold mention, and under it the reasoning chain."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from cotpd.evaluation.explanation import excerpt, shorten

    text = Text()
    for piece, role in excerpt(near.text, near.marks, width or 240):
        text.append(f"[{piece} {role}]" if role else piece, style="bold" if role else "")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True, min_width=13)
    grid.add_column()
    gold = "" if near.marks[0].role == near.label else f"  {near.label}"  # of a pair the label stands behind
    grid.add_row(f"{near.similarity:.2f}  near", text.append(gold, style="bold"))
    for kind, said in near.chain.items():
        grid.add_row(kind, Text(shorten(said, width or 160)))
    if not near.chain:
        grid.add_row("", Text("no caption and no answers were kept for this post", style="dim"))
    grid.add_row("post", Text(near.id, style="dim"))
    return Padding(grid, (0, 0, 0, 2))


def _attention(looks: "Looks | None") -> "list[RenderableType]":
    from rich.columns import Columns
    from rich.text import Text

    if looks is None:
        return [Text("This model reads no prompts, so there is no prompt attention.", style="dim")]
    top = sorted(looks.words, key=lambda word: -word.weight)[:SHOWN]
    even = (1 - looks.elsewhere) / max(len(looks.words), 1)
    mean = f"prompts look at  {_words(top)}  (on no word {looks.elsewhere:.0%}; evenly spread {even:.0%} a word)"
    lines = [f"{number:2} {_words(some)}" for number, some in enumerate(looks.queries, 1)]
    return [Text(mean), Columns([Text(line, style="dim") for line in lines], column_first=True, padding=(0, 3))]


def _words(looks: "Sequence[Look]") -> str:
    return ", ".join(f"{look.text} {look.weight:.0%}" for look in looks)
