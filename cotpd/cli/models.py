"""`cotpd models`: the catalogue of weights, and fetching them."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from cotpd.cli.options import AsJson
from cotpd.cli.output import build_console, format_json, show
from cotpd.weights import fetch, find_cache_folder, find_cached, get_model, read_catalogue
from cotpd.weights.catalogue import Model

app = typer.Typer(help="List the catalogued weights, and fetch them.", no_args_is_help=True, add_completion=False)


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Show the catalogued models and which of them are in the cache."""
    if as_json:
        models = [
            {
                "name": model.name,
                "about": model.about,
                "bytes": model.size,
                "licence": model.licence,
                "path": None if (path := find_cached(model)) is None else str(path),
            }
            for model in read_catalogue().values()
        ]
        show(format_json({"cache": str(find_cache_folder()), "models": models}))
        return

    _print_models(list(read_catalogue().values()))
    show(f"cache: {find_cache_folder()}")


def _print_models(models: Sequence[Model]) -> None:
    """Print a line of figures for each model, and below it what it is, which is too long for a column."""
    console, width = build_console(), max(len(model.name) for model in models)
    for model in models:
        state = "in the cache" if find_cached(model) else "not in the cache"
        # a wrapped name could not be copied into `cotpd models fetch`
        figures = f"{model.name:{width}}  {model.size / 1e6:5,.0f} MB  {model.licence}, {state}"
        console.print(figures, soft_wrap=True)
        console.print(Padding(Text(model.about, style="dim"), (0, 0, 0, 4)))


@app.command("fetch")
def fetch_models(names: Annotated[list[str], typer.Argument(help="Catalogued names.")]) -> None:
    """Fetch models into the cache and check every byte; models that are in it already are left alone."""
    for model in [get_model(name) for name in names]:
        show(f"{model.name}: {fetch(model)}")
