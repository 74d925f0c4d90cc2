"""`cotpd ledger`: look into the ledger of answers, export it, import into it, check it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.options import AsJson
from cotpd.cli.output import format_json, show
from cotpd.config import load_params
from cotpd.counts import format_count
from cotpd.errors import DataError, LlmError
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.database_address import find_ledger_file
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import export_recording, import_recording

app = typer.Typer(
    help="Count, export, import, verify and prune the answers paid for.",
    no_args_is_help=True,
    add_completion=False,
)

LedgerOption = Annotated[
    str | None,
    typer.Option("--ledger", help="The SQLite file or SQLAlchemy URL; that of params.yaml if not given."),
]


@app.command("stats")
def count_answers(ledger: LedgerOption = None, as_json: AsJson = False) -> None:
    """Count answers and tokens, by model."""
    with _open_ledger(ledger) as opened:
        rows, name = opened.count_by_model(), opened.name
    if as_json:
        names = ("model", "answers", "prompt_tokens", "completion_tokens")
        show(format_json({"ledger": name, "models": [dict(zip(names, row, strict=True)) for row in rows]}))
        return

    for model, answers, prompt, completion in rows:
        prompt_tokens = format_count(prompt, "token")
        show(f"{model}: {format_count(answers, 'answer')}, {prompt_tokens} read, {completion:,} written")
    show(f"{format_count(sum(answers for _, answers, _, _ in rows), 'answer')} in {name}")


@app.command("export")
def export_answers(
    file: Annotated[Path, typer.Argument(help="The JSON Lines file to write.")],
    raw: Annotated[bool, typer.Option("--raw", help="Keep the bodies as they came, times included.")] = False,
    ledger: LedgerOption = None,
) -> None:
    """Write all answers as JSON Lines, sorted, so that versions can be compared."""
    with _open_ledger(ledger) as opened:
        show(f"{format_count(export_recording(opened, file, raw=raw), 'answer')} written to {file}")


@app.command("import")
def import_answers(
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote.")], ledger: LedgerOption = None
) -> None:
    """Add the answers of an exported file; each request is hashed again and must give its key."""
    with _open_ledger(ledger, create=True) as opened:
        report = import_recording(opened, file)
    show(f"{report.new:,} new, {report.present:,} known, {len(report.bad):,} bad")
    if report.bad:
        raise DataError("lines left out:\n" + "\n".join(report.bad), "The others are in the ledger.")


@app.command()
def verify(ledger: LedgerOption = None) -> None:
    """Check the file, and that every row is as it was written."""
    with _open_ledger(ledger) as opened:
        if damaged := opened.find_damaged():
            answers = format_count(len(damaged), "answer is", "answers are")
            raise LlmError(
                f"{opened.name}: {answers} not as written: {', '.join(damaged[:5])}",
                "They count as never answered: the next run asks them again, or import an export.",
            )
        show(f"{opened.name}: sound")


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
    if model is None and before is None:
        raise LlmError("nothing says which answers to remove", "Name --model, --before, or both.")
    if file.exists():
        raise LlmError(f"{file}: is there already", "Name a new file.")

    with _open_ledger(ledger) as opened:
        day = None if before is None else f"{before:%Y-%m-%d}"
        keys = {entry.key for entry in opened.iterate_entries() if _is_selected(entry, model, day)}
        if not yes:
            show(f"{format_count(len(keys), 'answer')} would go from {opened.name} to {file}; say --yes to do it")
            return
        export_recording(opened, file, raw=True, keys=keys)
        opened.remove(keys)
    show(f"{format_count(len(keys), 'answer')} moved to {file}")


def _is_selected(entry: Entry, model: str | None, before: str | None) -> bool:
    """Whether an answer is of a model and older than a day; None leaves out the condition.

    The model is the one that answered, or the one that the request named: a server may report another name.
    """
    models = (entry.model, ChatRequest.parse(entry.request).body.get("model"))
    return (model is None or model in models) and (before is None or entry.created < before)


def _open_ledger(address: str | None, *, create: bool = False) -> Ledger:
    """Open the ledger at an address, or that of params.yaml.

    Raises:
        LlmError: It is a file that does not exist, and create is False.
    """
    address = address or load_params().llm.ledger
    path = find_ledger_file(address)
    if not create and path and not path.exists():
        raise LlmError(f"{address}: there is no ledger yet", "The first question asked, or an import, makes one.")
    return Ledger(address)
