"""A catalogued model behind an OpenAI-compatible address on this machine: llama.cpp's server, in this process.

Each slot (a request that is answered beside others) has its own context, so memory grows with the number of
slots. On a few cores, more slots give more answers a minute, each of them slower.
"""

import os
import socket
import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from cotpd.errors import ConfigError, LlmError
from cotpd.weights import get_model, resolve

if TYPE_CHECKING:
    import xllamacpp

HOST = "127.0.0.1"
_CONTEXT = 2048  # tokens a slot: the longest shipped prompt with its examples takes 500


class LocalServer:
    """A server that runs from its construction until :meth:`stop`.

    Args:
        model: A catalogued chat model or a GGUF file; the name it is served under is the name given here, or the
            file's without its ending.
        port: Its port, open to this machine only; 0 takes a free one.
        parallel: Requests answered at the same time.
        threads: Computing threads; None takes one a core.

    Raises:
        LlmError: xllamacpp is not installed, or the port is taken.
        ConfigError: The model is no GGUF file.
        ModelError: The model is unknown, or cannot be downloaded.
    """

    def __init__(self, model: str, *, port: int = 8993, parallel: int = 8, threads: int | None = None) -> None:
        llama = _import_xllamacpp()
        _check_port(port)
        path = _find_weights(model)
        self.name = path.stem if Path(model).is_file() else get_model(model).name
        params = llama.CommonParams()
        params.model.path = str(path)
        params.model_alias = {self.name}
        params.hostnames, params.port = [HOST], port
        params.n_parallel, params.n_ctx = parallel, _CONTEXT * parallel
        params.cpuparams.n_threads = threads or os.cpu_count() or 1
        params.verbosity = 0
        params.ui = False
        self._server: xllamacpp.Server | None = llama.Server(params)
        self.base_url = f"{self._server.listening_address}/v1"

    def serve_forever(self) -> None:
        """Wait until Ctrl-C."""
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            self.stop()

    def stop(self) -> None:
        """End the server and free its memory."""
        self._server = None


def _import_xllamacpp() -> ModuleType:
    """Return the package; raises LlmError if its extra is not installed."""
    try:
        import xllamacpp  # noqa: PLC0415  an optional extra
    except ImportError:
        raise LlmError("xllamacpp is not installed", "pip install 'cotpd[server]'") from None
    module: ModuleType = xllamacpp
    return module


def _check_port(port: int) -> None:
    """Raise LlmError if another process listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise LlmError(
                f"port {port} of {HOST} is taken", "End what listens there, or choose another with --port."
            ) from None


def _find_weights(model: str) -> Path:
    """Return a GGUF file: the one given, or that of a catalogued model, fetched if it is not in the cache.

    Raises:
        ConfigError: It is no GGUF file.
        ModelError: The model is not catalogued, or cannot be fetched.
    """
    path = Path(model) if Path(model).is_file() else Path(resolve(get_model(model).name))
    if path.suffix != ".gguf":
        raise ConfigError(f"{model}: not a chat model in GGUF", "See `cotpd models list`, or name a .gguf file.")
    return path
