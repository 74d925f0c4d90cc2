"""A group of commands whose modules are imported when they are called, so that `cotpd --help` stays quick.

Trade-off: the line that `--help` shows of a command stands here a second time, and a test compares it with the
command's docstring; reading it there would import every package that any command needs, for seconds.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

SUMMARIES = {
    "init": "Make a project of your own, with a pipeline for your data.",
    "plan": "Count requests, tokens, cost and time before anything is asked.",
    "ask": "Ask each model what the steps `ask` and `augment` would ask.",
    "predict": "Find the named entities of posts, or label a pair or a post.",
    "serve": "Serve a student over HTTP; a promotion is live within seconds.",
    "monitor": "Say whether scored posts still look like the training data.",
    "export": "Write a student for ONNX Runtime, with a verdict on each graph.",
    "explain": "Show near training posts, reasoning chains and prompt attention.",
    "show": "Show the last run's scores and the registered versions.",
    "compare": "Compare runs of the pipeline that differ only in the seed.",
    "study": "Run a study: trainings that together answer one question.",
    "data": "Check or convert a data set, or explain the formats.",
    "preset": "Point params.yaml at other data or another task.",
    "models": "List the catalogued weights, and fetch them.",
    "llm": "Serve a language model here, or ask one a single question.",
    "ledger": "Count, export, import, verify and prune the answers paid for.",
    "doctor": "Check what a run needs here, and name what would stop it.",
    "promote": "Judge a version against the champion, and promote it if it passes.",
    "registry": "List, promote and roll back registered students.",
}
"""Command to its line in `cotpd --help`. Module ``cotpd.cli.NAME`` holds a function NAME, or a Typer ``app``."""


class LazyCommand(TyperCommand):
    """A command's name and summary; its module is imported when its arguments are parsed."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the real command, which click invokes and whose help it prints."""
        command: Any = load_command(str(self.name))
        return command.make_context(info_name, args, parent=parent, **extra)


class LazyGroup(TyperGroup):
    """The commands of :data:`SUMMARIES`, and any that was registered as usual."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in SUMMARIES.items():
            self.add_command(LazyCommand(name, callback=None, help=summary))


def load_command(name: str) -> Any:
    """Import a command's module and build the command, or the group of subcommands, that click runs."""
    module = import_module(f"cotpd.cli.{name}")
    if hasattr(module, "app"):
        return get_command(module.app)
    single = typer.Typer(add_completion=False)
    single.command(name)(getattr(module, name))
    return get_command(single)
