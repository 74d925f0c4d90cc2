"""The services of docker-compose.yaml as processes of this machine, on free ports of the loopback interface.

Commands and variables are those of the file. Only names of hosts and ports are replaced, so that what the tests start
and what Docker would start cannot drift apart.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.ports import find_port
from tests.shared_state.compose import ROOT, find_program, read_environment, read_services, write_environment

PORTS = {"postgres": 5432, "objects": 8333, "mlflow": 5000, "prefect": 4200}
HEALTH = {"objects": "/healthz", "mlflow": "/health", "prefect": "/api/health"}
LIMIT = 180.0  # seconds for a server to answer, on a busy machine


class Stack:
    """The running services.

    Args:
        folder: For the services' files.

    Attributes:
        variables: The environment of a machine that uses them, those of cotpd.env.example.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: find_port() for name in PORTS}
        example = write_environment(folder / "cotpd.env")
        self.services = read_services(example)
        values = read_environment(example)
        self.variables = {name: self.translate(value) for name, value in values.items() if value}

    def translate(self, text: str) -> str:
        """Return a text with the hosts and ports of Docker's network, or of the example, replaced by the free ones."""
        for name, port in PORTS.items():
            text = re.sub(rf"(?:{name}|127\.0\.0\.1):{port}\b", f"127.0.0.1:{self.ports[name]}", text)
        return text

    def build_command(self, name: str) -> list[str]:
        """Return the command of a service with a port of its own."""
        port = re.compile(rf"(port=){PORTS[name]}$")
        command = [port.sub(rf"\g<1>{self.ports[name]}", part) for part in self.services[name]["command"]]
        return [self.translate(part).replace("0.0.0.0", "127.0.0.1") for part in command]

    def build_variables(self, name: str) -> dict[str, str]:
        """Return the environment of a service, without this machine's own."""
        variables = {key: self.translate(value) for key, value in self.services[name]["environment"].items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.folder), **variables}

    @contextmanager
    def run(self, name: str, command: list[str]) -> "Iterator[subprocess.Popen[bytes]]":
        """Run a service until the block ends."""
        with (self.folder / f"{name}.log").open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.build_variables(name) | {"PREFECT_HOME": str(self.folder / "prefect")},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            end_group(process)

    def wait_for(self, name: str, process: "subprocess.Popen[bytes]", path: str) -> None:
        """Wait for a service to answer at a path with success, for a limited time."""
        address, log = f"http://127.0.0.1:{self.ports[name]}{path}", self.folder / f"{name}.log"
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(address, timeout=5).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError(f"{address} does not answer: {log.read_text()[-3000:]}")

    def set_up(self) -> None:
        """Run the service `setup` to its end, as Docker would in the mounted project."""
        mounts = {"/project": str(ROOT), "/deploy/": f"{ROOT}/deploy/"}
        command = [
            re.sub("^(/project|/deploy/)", lambda match: mounts[match[1]], part)
            for part in self.services["setup"]["command"]
        ]
        variables = self.build_variables("setup") | {"PREFECT_HOME": str(self.folder / "prefect")}
        completed = subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False, timeout=LIMIT
        )
        assert completed.returncode == 0, completed.stdout[-3000:] + completed.stderr[-3000:]


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and all that it started; its files are thrown away."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(LIMIT)


@contextmanager
def run_postgres(stack: Stack) -> Iterator[None]:
    """Run a PostgreSQL that asks for a password, with the databases of deploy/databases.sql."""
    service = stack.services["postgres"]
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: its socket's name has a limit
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # the server refuses to run as root
    password = write_password(folder, service["environment"]["POSTGRES_PASSWORD"])
    binaries = find_postgresql()
    init = [
        "--auth=scram-sha-256",
        f"--pwfile={password}",
        f"--username={service['environment']['POSTGRES_USER']}",
    ]
    options = (
        f"-h 127.0.0.1 -p {stack.ports['postgres']} -k {folder} -c fsync=off {' '.join(service['command'][1:])}"
    )
    control = [*user, str(binaries / "pg_ctl"), "--wait", f"--pgdata={folder}/data"]
    try:
        run(*user, str(binaries / "initdb"), "--encoding=UTF8", *init, f"--pgdata={folder}/data")
        run(*control, f"--options={options}", f"--log={folder}/log", "start")
        create_databases(stack.ports["postgres"], password.read_text())
        yield
    finally:
        subprocess.run(
            [*control, "--mode=immediate", "stop"], cwd="/", capture_output=True, check=False, timeout=60
        )
        shutil.rmtree(folder, ignore_errors=True)


def write_password(folder: Path, text: str) -> Path:
    """Write a password for initdb, and give the folder to the user that runs it."""
    password = folder / "password"
    password.write_text(text)
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        shutil.chown(password, "postgres")
    return password


def create_databases(port: int, password: str) -> None:
    """Execute deploy/databases.sql as the image of PostgreSQL does on its first start."""
    import psycopg

    address = f"host=127.0.0.1 port={port} user=cotpd dbname=postgres"
    with psycopg.connect(address, password=password, autocommit=True) as database:
        for statement in (ROOT / "deploy/databases.sql").read_text("utf-8").split(";"):
            database.execute(statement)


def find_postgresql() -> Path:
    """Return the folder of PostgreSQL's programs; skip the test where its extension pg_trgm is missing."""
    candidates = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    candidates += [Path(path).parent for path in [shutil.which("initdb")] if path]
    for folder in candidates:
        shared = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
        if (Path(shared.stdout.strip()) / "extension/pg_trgm.control").is_file():
            return folder
    return pytest.skip("Prefect needs a PostgreSQL with pg_trgm: apt-get install postgresql")


def run(*command: str) -> None:
    """Run a command of PostgreSQL's, and show what it says if it fails."""
    completed = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=LIMIT)
    assert completed.returncode == 0, completed.stdout + completed.stderr


def build_weed_command(stack: Stack) -> list[str]:
    """Return the object store's command with free ports for its inner parts, which Docker keeps apart.

    It makes as many volumes as find room on the disk, seven for each bucket: of the file's size, a machine with
    3 GB left would have none for a second bucket.
    """
    servers = ("master", "volume", "filer")
    names = [f"{server}.port" for server in servers] + [f"{server}.port.grpc" for server in (*servers, "s3")]
    ports = [f"-{name}={find_port()}" for name in names]
    command = [part.replace("=/data", f"={stack.folder}") for part in stack.build_command("objects")]
    command = [re.sub(r"(volumeSizeLimitMB)=\d+", r"\1=64", part) for part in command]
    return [find_program("weed"), *command, *ports]


@contextmanager
def run_stack(folder: Path) -> Iterator[Stack]:
    """Run all services of a team's shared state, those of the worker and the language model excepted."""
    stack = Stack(folder)
    with ExitStack() as running:
        running.enter_context(run_postgres(stack))
        commands = {name: stack.build_command(name) for name in ("mlflow", "prefect")}
        commands["objects"] = build_weed_command(stack)
        processes = {name: running.enter_context(stack.run(name, command)) for name, command in commands.items()}
        for name, process in processes.items():
            stack.wait_for(name, process, HEALTH[name])
        stack.set_up()
        yield stack
