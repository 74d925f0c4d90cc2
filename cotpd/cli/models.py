"""`cotpd models`: the catalogue of weights, and fetching them."""

from typing import Annotated

import typer

from cotpd.cli.output import console, show

app = typer.Typer(help="List the catalogued weights, and fetch them.", no_args_is_help=True, add_completion=False)


@app.command("list")
def list_models() -> None:
    """Show the catalogued models and which of them are in the cache."""
    from rich.table import Table

    from cotpd.weights import cache_folder, cached, catalogue

    table = Table("name", "what", "MB", "licence", "in the cache", box=None)
    table.columns[0].no_wrap = True  # a name is there to be copied
    for model in catalogue().values():
        here = "yes" if cached(model) else "no"
        table.add_row(model.name, model.about, f"{model.size / 1e6:,.0f}", model.licence, here)
    console().print(table)
    show(f"cache: {cache_folder()}")


@app.command("fetch")
def fetch_models(names: Annotated[list[str], typer.Argument(help="Catalogued names.")]) -> None:
    """Fetch models into the cache and check every byte; what is there already is left alone."""
    from cotpd.weights import fetch, known

    for model in [known(name) for name in names]:
        show(f"{model.name}: {fetch(model)}")
