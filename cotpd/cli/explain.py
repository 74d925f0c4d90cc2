"""`cotpd explain`: for each prediction the nearest training posts, their reasoning chains, and the attention."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotpd.cli.options import Device, File, Head, IsJson, ModelName, Tail, Texts
from cotpd.cli.output import console, json_line, make_printable
from cotpd.cli.posts import Given, read_posts
from cotpd.cli.predict import chosen, require_relations
from cotpd.data.tokenization import tokenize
from cotpd.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from cotpd.evaluation.explanation import Claim, Explanation, Look, Support
    from cotpd.student import Student
    from cotpd.student.neighbours import Neighbours

NEAREST = 3
SHOWN = 5  # words of the mean attention


def explain(
    texts: Texts = None,
    model: ModelName = None,
    data: Annotated[
        Path, typer.Option(help="What it was trained on: a folder with prepared/ and validated/.")
    ] = Path("data"),
    file: File = None,
    is_json: IsJson = None,
    head: Head = None,
    tail: Tail = None,
    nearest: Annotated[int, typer.Option(min=1, help="Training posts to show for each prediction.")] = NEAREST,
    full: Annotated[bool, typer.Option("--full", help="Do not shorten posts and answers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines, nothing shortened.")] = False,
    device: Device = "auto",
) -> None:
    """Show near training posts, reasoning chains and prompt attention.

    They are evidence, not the cause of a prediction: see docs/explain.md. The first call reads all training posts.

    \b
    Examples:
      cotpd explain "Eileen Collins waves from the pad at Kennedy Space Center"
      cotpd explain --model models/student --nearest 1 --file posts.txt --json
      cotpd explain --head "Collins" --tail "NASA" "Collins leaves NASA after 16 years"
    """
    posts = read_posts(texts or [], file, head, tail, is_json)
    from cotpd.registry.model_address import find_student_folder

    folder = find_student_folder(chosen(model))
    _require_tables(data)
    from cotpd.student import Student

    student, out = Student.from_pretrained(folder, device), console()
    require_relations(student.labels.task, head, tail)
    index = _index(student, folder, data)
    for post in posts:  # one at a time: somebody reads them, and may be typing them
        found = _explained(index, post, nearest)
        if as_json:
            named = {"id": post.row.get("id", found.id)}
            print(json_line(named | post.row | asdict(found) | named, post.where), flush=True)
        else:
            _print(make_printable(found), out, 10**6 if full else 0)


def _require_tables(data: Path) -> None:
    from cotpd.pipeline.workspace import Workspace

    workspace = Workspace(data=data)
    checked = (workspace.validated / "captions.jsonl", workspace.validated / "knowledge.jsonl")
    for needed in (workspace.locate_posts("train"), *checked):
        if not needed.is_file():
            raise DataError(
                f"{needed}: there is no such table, so there are no training posts to show",
                "Name the folder of the data that the model was trained on with --data, or make it: dvc repro.",
            )


def _index(student: "Student", folder: Path, data: Path) -> "Neighbours":
    from cotpd.pipeline.training_examples import read_original_examples
    from cotpd.pipeline.workspace import Workspace
    from cotpd.student.neighbours import Neighbours

    examples = read_original_examples(Workspace(data=data), student.labels.task, "train")
    return Neighbours.build(student, folder, examples)


def _explained(index: "Neighbours", post: Given, nearest: int) -> "Explanation":
    from cotpd.evaluation.explanation import Explanation, explain
    from cotpd.student.prediction_input import example_of, read_row

    example = example_of(read_row(index.student.labels.task, post.row, post.where))
    if example is None:
        return Explanation("text", post.row["text"], [], None)
    [found] = explain(index, [example], index.student.predict_examples([example]), nearest)
    return found


def _print(found: "Explanation", out: "Console", width: int) -> None:
    out.print(_post(found), soft_wrap=True)
    if not found.claims:
        out.print("nothing found in it", style="dim")
    for claim in found.claims:
        out.print()
        out.print(_headline(claim))
        for near in claim.neighbours:
            out.print(_near(near, width))
    out.print()
    out.print(*_attention(found), sep="\n")
    out.print()


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

    from cotpd.evaluation.explanation import cut_excerpt, shorten

    text = Text()
    for piece, role in cut_excerpt(near.text, near.marks, width or 240):
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


def _attention(found: "Explanation") -> "list[RenderableType]":
    from rich.columns import Columns
    from rich.text import Text

    looks = found.attention
    if looks is None and not tokenize(found.text):
        return [Text("There is no word in it, so there is no prompt attention.", style="dim")]
    if looks is None:
        return [Text("This model reads no prompts, so there is no prompt attention.", style="dim")]
    top = sorted(looks.words, key=lambda word: -word.weight)[:SHOWN]
    even = (1 - looks.elsewhere) / max(len(looks.words), 1)
    mean = f"prompts look at  {_words(top)}  (on no word {looks.elsewhere:.0%}; evenly spread {even:.0%} a word)"
    lines = [f"{number:2} {_words(some)}" for number, some in enumerate(looks.queries, 1)]
    return [Text(mean), Columns([Text(line, style="dim") for line in lines], column_first=True, padding=(0, 3))]


def _words(looks: "Sequence[Look]") -> str:
    return ", ".join(f"{look.text} {look.weight:.0%}" for look in looks)
