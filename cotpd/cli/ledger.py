"""`cotpd ledger`: look into the ledger of answers, export it, import into it, check it."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotpd.cli.output import show
from cotpd.errors import DataError, LlmError

if TYPE_CHECKING:
    from cotpd.llm.ledger.ledger import Entry, Ledger

app = typer.Typer(
    help="Count, export, import, verify and prune the answers paid for.",
    no_args_is_help=True,
    add_completion=False,
)

LedgerOption = Annotated[
    str | None,
    typer.Option("--ledger", help="The SQLite file or SQLAlchemy URL; that of params.yaml if not given."),
]


@app.command()
def stats(ledger: LedgerOption = None) -> None:
    """Count answers and tokens, by model."""

    with _open(ledger) as book:
        rows = book.count_by_model()
        for model, answers, prompt, completion in rows:
            show(f"{model}: {answers:,} answers, {prompt:,} tokens read, {completion:,} written")
        show(f"{sum(row[1] for row in rows):,} answers in {book.name}")


@app.command("export")
def export_answers(
    file: Annotated[Path, typer.Argument(help="The JSON Lines file to write.")],
    raw: Annotated[bool, typer.Option("--raw", help="Keep the bodies as they came, times included.")] = False,
    ledger: LedgerOption = None,
) -> None:
    """Write all answers as JSON Lines, sorted, so that versions can be compared."""
    from cotpd.llm.ledger.recording import export_recording

    with _open(ledger) as book:
        show(f"{export_recording(book, file, raw=raw):,} answers written to {file}")


@app.command("import")
def import_answers(
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote.")], ledger: LedgerOption = None
) -> None:
    """Add the answers of an exported file; each request is hashed again and must give its key."""
    from cotpd.llm.ledger.recording import import_recording

    with _open(ledger, new=True) as book:
        report = import_recording(book, file)
    show(f"{report.new:,} new, {report.known:,} known, {len(report.bad):,} bad")
    if report.bad:
        raise DataError("lines left out:\n" + "\n".join(report.bad), "The others are in the ledger.")


@app.command()
def verify(ledger: LedgerOption = None) -> None:
    """Check the file, and that every row is as it was written."""
    with _open(ledger) as book:
        if damaged := book.find_damaged():
            raise LlmError(
                f"{book.name}: {len(damaged)} answers are not as they were written: {', '.join(damaged[:5])}",
                "They count as never answered: the next run asks them again, or import an export.",
            )
        show(f"{book.name}: sound")


@app.command()
def prune(
    file: Annotated[Path, typer.Argument(help="The JSON Lines file that takes what is removed.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Only answers of this model, asked or reported.")
    ] = None,
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=["%Y-%m-%d"], help="Only answers older than this day, 2026-01-31."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only count.")] = False,
    ledger: LedgerOption = None,
) -> None:
    """Move answers out of the ledger into a file that `import` takes back.

    \b
    Example:
      cotpd ledger prune old.jsonl --model gpt-4o-mini --before 2026-01-31 --yes
    """
    from cotpd.llm.ledger.recording import export_recording

    if model is None and before is None:
        raise LlmError("nothing says which answers to remove", "Name --model, --before, or both.")
    if file.exists():
        raise LlmError(f"{file}: is there already", "Name a new file.")
    with _open(ledger) as book:
        day = None if before is None else f"{before:%Y-%m-%d}"
        chosen = {row.key for row in book.entries() if _matches(row, model, day)}
        if not yes:
            show(f"{len(chosen):,} answers would go from {book.name} to {file}; say --yes to do it")
            return
        export_recording(book, file, raw=True, keys=chosen)
        book.remove(chosen)
    show(f"{len(chosen):,} answers moved to {file}")


def _matches(row: "Entry", model: str | None, before: str | None) -> bool:
    """Whether an answer is older, and of a model, by the name that was asked or the one that answered."""
    from cotpd.llm.chat_request import ChatRequest

    of_model = model is None or model in (row.model, ChatRequest.parse(row.request).body.get("model"))
    return of_model and (before is None or row.created < before)


def _open(place: str | None, *, new: bool = False) -> "Ledger":
    from cotpd.config import load_params
    from cotpd.llm.ledger.database import find_ledger_file
    from cotpd.llm.ledger.ledger import Ledger

    chosen = place or load_params().llm.ledger
    path = find_ledger_file(chosen)
    if not new and path and not path.exists():
        raise LlmError(f"{chosen}: there is no ledger yet", "The first question asked, or an import, makes one.")
    return Ledger(chosen)
