"""`cotpd data`: look at a data set before money or hours are spent on it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cotpd.cli.output import console, json_text, show
from cotpd.escaping import make_printable_line

app = typer.Typer(
    help="Check a data set, or explain the formats that are read.", no_args_is_help=True, add_completion=False
)
SHOWN = 20


@app.command()
def check(
    path: Annotated[str | None, typer.Argument(help="Folder or file; left out, the one of params.yaml.")] = None,
    format_: Annotated[str, typer.Option("--format", help="A format's name, or auto.")] = "auto",
    captions: Annotated[str | None, typer.Option(help="File or pattern of captions, below the folder.")] = None,
    answers: Annotated[str | None, typer.Option(help="File or folder of LLM answers, below the folder.")] = None,
    pictures: Annotated[
        str | None, typer.Option(help="Folder of pictures, from the folder; it may be a link to elsewhere.")
    ] = None,
    offsets: Annotated[
        str | None, typer.Option(help="What start and end count: characters, utf16 or bytes.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help=f"Every problem, not the first {SHOWN}.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Count what a data set holds and list each row that cannot be used; exit status 1 if there are any.

    Example: cotpd data check ~/data/twitter2017 --captions captions_blip2.txt --answers chatgpt_knowledge
    """
    from cotpd.data.dataset_report import build_report
    from cotpd.data.load import load_dataset

    dataset = load_dataset(
        _params(path, format=format_, captions=captions, answers=answers, pictures=pictures, offsets=offsets),
        Path(),
        require_train=False,
    )
    if as_json:
        show(json_text(build_report(dataset), indent=2))
    else:
        _print(dataset, None if show_all else SHOWN)
    if dataset.quarantine:
        raise typer.Exit(1)


@app.command()
def formats() -> None:
    """Explain each format that is read, with an example."""
    from cotpd.data.readers import FORMATS

    for form in FORMATS.values():
        show(form.title, bold=True)
        show("\n".join("    " + line for line in form.example.splitlines()) + "\n")


def _params(path: str | None, **options: str | None) -> Any:
    """The data section: that of params.yaml where no path is given, with the options over it."""
    from pydantic import ValidationError

    from cotpd.config import load_params
    from cotpd.data.params import DataParams
    from cotpd.errors import ConfigError

    base = load_params().data.model_dump() if path is None else {"path": path}
    given = {key: value for key, value in options.items() if value is not None}
    if given.get("format") == "auto":
        del given["format"]  # which leaves that of params.yaml
    try:
        return DataParams.model_validate(base | given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        where = "the path" if name == "path" else f"--{name} {given.get(name)}"
        raise ConfigError(f"{where}: {first['msg']}", "`cotpd data formats` shows each format.") from None


def _print(dataset: Any, at_most: int | None) -> None:
    from cotpd.data.dataset_report import build_table, format_problem, list_companion_lines

    out = console()
    out.print(build_table(dataset))
    for line in [*list_companion_lines(dataset), *(f"note: {warning}" for warning in dataset.stats["warnings"])]:
        out.print(make_printable_line(line), soft_wrap=True)
    problems = dataset.quarantine
    for row in problems[:at_most]:
        out.print(make_printable_line(format_problem(row)), soft_wrap=True, style="red")
    if at_most is not None and len(problems) > at_most:
        out.print(f"... and {len(problems) - at_most} more; --all shows them")
    out.print(_verdict(len(problems), dataset.stats["pictures"]["missing"]))


def _verdict(refused: int, missing: int) -> str:
    if not refused and not missing:
        return "no problems"
    return f"{refused} rows refused" + (f", {missing} pictures are not at hand" if missing else "")
