"""The deployments of prefect.yaml, read for `python -m flows`: both ways of running them offer the same."""

from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from prefect import Flow
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.schedules import Schedule
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from cotpd.errors import ConfigError
from cotpd.parameter_file import read_parameters
from flows.project_root import ROOT

_SHORT = {"full", "batch", "champion"}  # whose second name is "local" alone


class Section(BaseModel):
    """A part of prefect.yaml; an unknown key is an error, as Prefect would ignore it silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limit(Section):
    """The most runs of a deployment in progress at once, and what becomes of a further one."""

    limit: Annotated[int, Field(ge=1)]
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"


class CronSchedule(Section):
    """When a deployment runs by itself."""

    cron: str
    timezone: str = "UTC"
    active: bool = True
    parameters: dict[str, JsonValue] = {}
    slug: str | None = None


class Pool(Section):
    """The work pool of a deployment; `python -m flows` needs none."""

    name: str
    work_queue_name: str | None = None
    job_variables: dict[str, JsonValue] = {}


class Deployment(Section):
    """One deployment of prefect.yaml."""

    name: str
    description: str = ""
    entrypoint: str
    parameters: dict[str, JsonValue] = {}
    tags: Annotated[tuple[str, ...], BeforeValidator(tuple)] = ()
    concurrency_limit: Limit | None = None
    schedules: tuple[CronSchedule, ...] = ()
    work_pool: Pool | None = None

    @property
    def flow(self) -> Flow[..., Any]:
        """The flow at the entrypoint.

        Raises:
            ConfigError: There is none.
        """
        path, _, name = self.entrypoint.rpartition(":" if ":" in self.entrypoint else ".")
        module = ".".join(PurePosixPath(path).with_suffix("").parts) if ":" in self.entrypoint else path
        try:
            flow = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if not f"{module}.".startswith(f"{error.name}."):
                raise  # the flow is there, and a package that it needs is not: the message names the extra
            flow = None
        except (AttributeError, ValueError):
            flow = None
        if not isinstance(flow, Flow):
            problem = f"prefect.yaml: {self.name}: there is no flow {self.entrypoint}"
            raise ConfigError(problem, "Write FILE:FUNCTION, from the folder of prefect.yaml.")
        return flow

    @property
    def names(self) -> tuple[str, str]:
        """The name, and the second one, if a work pool has the first."""
        return self.name, "local" if self.name in _SHORT else f"{self.name}-local"

    def build_schedules(self) -> list[Schedule]:
        """Return the schedules as Prefect's runner takes them."""
        return [
            Schedule(
                cron=schedule.cron,
                timezone=schedule.timezone,
                active=schedule.active,
                parameters=dict(schedule.parameters),
                slug=schedule.slug,
            )
            for schedule in self.schedules
        ]

    def build_limit(self) -> ConcurrencyLimitConfig | None:
        """Return the limit of runs in progress as Prefect's runner takes it."""
        if self.concurrency_limit is None:
            return None
        strategy = ConcurrencyLimitStrategy(self.concurrency_limit.collision_strategy)
        return ConcurrencyLimitConfig(limit=self.concurrency_limit.limit, collision_strategy=strategy)


class PrefectFile(BaseModel):
    """prefect.yaml, as far as `python -m flows` reads it."""

    deployments: tuple[Deployment, ...] = ()


def read_deployments(path: Path = ROOT / "prefect.yaml") -> tuple[Deployment, ...]:
    """Return the deployments of the project's prefect.yaml.

    Raises:
        ConfigError: It is missing, or a deployment is not understood; the message names file, line and key.
    """
    try:
        return read_parameters(path, PrefectFile)[0].deployments
    except ConfigError as error:
        remedy = "docs/deployments.md explains its keys." if path.is_file() else error.remedy
        raise ConfigError(error.problem, remedy) from None
