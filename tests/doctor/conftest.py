"""A project whose questions are all open, and a server that answers every address in one way."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.builders import build_row, write_jsonl


@pytest.fixture
def project(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a git repository with DVC, parameters and three posts without pictures."""
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / "dvc.yaml").write_bytes((root / "dvc.yaml").read_bytes())
    for split in ("train", "valid", "test"):
        write_jsonl(folder / "posts" / f"{split}.jsonl", [build_row(split)])
    params = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    params["data"] |= {"path": "posts"}
    params["caption"]["backend"] = "none"
    params["llm"]["recorded"] = None
    (folder / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def change(project: Path) -> Callable[[str, dict], None]:
    """Change the parameters of a section of the project."""

    def _change(section: str, values: dict) -> None:
        path = project / "params.yaml"
        params = yaml.safe_load(path.read_text("utf-8"))
        params[section] |= values
        path.write_text(yaml.safe_dump(params), "utf-8")

    return _change


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[int, str], str]]:
    """Start a server that answers everything with a status and a body, and return its address."""
    servers = []

    def _serve(status: int, body: str) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.status, server.body = status, body.encode()
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield _serve
    for server in servers:
        server.shutdown()
        server.server_close()
