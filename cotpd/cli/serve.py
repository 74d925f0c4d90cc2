"""`cotpd serve`: a student behind HTTP, which follows its alias in the registry."""

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cotpd.cli.explain import require_training_tables
from cotpd.cli.options import Device
from cotpd.cli.output import warn
from cotpd.config import load_params
from cotpd.errors import ConfigError, ModelError
from cotpd.pipeline.training_examples import read_original_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.serving.limits import Limits

if TYPE_CHECKING:
    from cotpd.serving.service import Service
    from cotpd.student.examples import Example
    from cotpd.student.tasks import TaskName

DEFAULTS = Limits()
LOCAL = ("localhost", "127.0.0.1", "::1")
MB = 1_000_000


def serve(
    model: Annotated[
        str | None,
        typer.Option(help="models:/NAME@ALIAS, which is followed, or a version or folder; else the champion."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 is every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    backend: Annotated[Literal["auto", "torch", "onnx", "onnx-int8"], typer.Option(help="What runs it.")] = "auto",
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; one a core if not given.")] = None,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the alias.")] = 2.0,
    data: Annotated[
        Path | None,
        typer.Option(help="Show its training posts on the page; on a local address it is data, if that is there."),
    ] = None,
    token_env: Annotated[
        str | None, typer.Option(help="The environment variable with the token that clients must send.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second from one client; 0: no limit.")] = 0.0,
    batch_texts: Annotated[int, typer.Option(min=1, help="Most texts of a batch.")] = DEFAULTS.batch_texts,
    batch_ms: Annotated[
        float, typer.Option(min=0, help="Longest wait for others to share a batch.")
    ] = DEFAULTS.batch_milliseconds,
    max_texts: Annotated[int, typer.Option(min=1, help="Most texts of a request.")] = DEFAULTS.texts,
    max_characters: Annotated[int, typer.Option(min=1, help="Longest text.")] = DEFAULTS.characters,
    max_bytes: Annotated[int, typer.Option(min=1, help="Largest body.")] = DEFAULTS.body_bytes,
    max_queue: Annotated[int, typer.Option(min=1, help="Most texts that wait.")] = DEFAULTS.queued_texts,
    sample_to: Annotated[
        Path | None, typer.Option(help="Write posts with low scores to this file, to annotate. It holds texts.")
    ] = None,
    sample_below: Annotated[float, typer.Option(min=0, max=1, help="What a low score is below.")] = 0.6,
    sample_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of these posts that is written.")] = 1.0,
    sample_max_mb: Annotated[float, typer.Option(min=0, help="Largest size of the file.")] = 100.0,
    access_log: Annotated[bool, typer.Option(help="A line of JSON for each answer, without texts.")] = True,
) -> None:
    """Serve a student over HTTP; a promotion is live within seconds.

    \b
    Examples:
      cotpd serve
      cotpd serve --model models:/cotpd-re@champion --port 8001
      cotpd serve --model models/student --host 0.0.0.0 --token-env COTPD_TOKEN
      cotpd serve --sample-to doubtful/train.jsonl --sample-below 0.5
    """
    # its packages are an extra, of which the help knows nothing
    from cotpd.serving.application import build_application  # noqa: PLC0415
    from cotpd.serving.http_server import open_listener, serve_application  # noqa: PLC0415

    limits = Limits(max_bytes, max_texts, max_characters, max_queue, batch_texts, batch_ms, rate)
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # torch reads it as it is imported, with the model
    token = _read_token(token_env)
    if host not in LOCAL and not token:
        warn("warning: everybody who reaches this address may use it; --token-env asks for a token")
    with open_listener(host, port) as listener:
        service = _load_service(model, backend, device, poll, limits, token, _choose_data(data, host))
        if sample_to is not None:
            warn(f"warning: texts of clients are stored in {sample_to}")
            service.sample(sample_to, sample_below, sample_rate, int(sample_max_mb * MB))
        service.start()
        try:
            serve_application(build_application(service, is_logged=access_log), listener, limits)
        finally:
            service.stop()


def _load_service(
    model: str | None, backend: str, device: str, poll: float, limits: Limits, token: str, data: Path | None
) -> "Service":
    """Load the model, and put a service around it that follows the model's alias and shows training posts."""
    from cotpd.serving.service import Service, load_first_version  # noqa: PLC0415  see serve
    from cotpd.serving.training_posts import TrainingPosts  # noqa: PLC0415  see serve

    address = model or f"models:/{load_params().registered_name}@champion"
    try:
        version, target = load_first_version(address, backend, device)
    except ModelError as error:
        if model is not None:
            raise
        hint = "Promote a version (cotpd promote), or name one with --model, such as models/student."
        raise ModelError(error.problem, f"{error.remedy}\n  {hint}") from None
    posts = None if data is None else TrainingPosts(partial(_read_training_examples, data))
    service = Service(version, limits, token, posts)
    if target is not None:
        service.watch_alias(target, poll, backend, device)
    number = f" version {version.version}" if version.version else ""
    warn(f"{version.name}{number} ({version.predictor.backend}) is loaded")
    return service


def _read_training_examples(data: Path, task: "TaskName") -> "list[Example]":
    """Return the examples of a folder of tables, as `cotpd explain` reads them."""
    return read_original_examples(Workspace(data=data), task, "train")


def _choose_data(data: Path | None, host: str) -> Path | None:
    """Return the folder of the training posts that the page may show.

    Raises:
        DataError: The folder that was named holds none.
    """
    if data is not None:
        require_training_tables(Workspace(data=data))
        return data
    workspace = Workspace()
    return Path("data") if host in LOCAL and workspace.locate_posts("train").is_file() else None


def _read_token(name: str | None) -> str:
    """Return the token of an environment variable; empty if none is named.

    Raises:
        ConfigError: There is no such variable, or it is empty.
    """
    if name is None:
        return ""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):  # perhaps the token itself: it is not shown
        raise ConfigError("--token-env is not the name of an environment variable", "Put the token into one.")
    token = os.environ.get(name, "").strip()
    if not token:
        raise ConfigError(f"the environment variable {name} is not set, or empty", "Put the token into it.")
    return token
