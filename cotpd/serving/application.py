"""The routes of the server, as a FastAPI application; what they do lies in the service behind them."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from importlib.metadata import version as find_package_version
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.security import HTTPBearer

from cotpd.serving.micro_batches import Answer, QueueFullError
from cotpd.serving.request_body import JSON, RefusedError, read_rows, require_json
from cotpd.serving.request_guard import ABANDONED, DETAILS, App, RequestGuard
from cotpd.serving.request_models import Problem
from cotpd.serving.service import Service
from cotpd.serving.training_posts import describe_absence
from cotpd.student.prediction_input import PredictionInput
from cotpd.student.tasks import find_task

PAGE_FILES = {"/": "index.html", "/page.js": "page.js", "/page.css": "page.css"}
ROUTES = frozenset(
    {*PAGE_FILES, "/v1/predict", "/v1/neighbours", "/healthz", "/readyz", "/metrics", "/openapi.json"}
)
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_THREADED_BYTES = 16 << 10  # a longer body is read in a thread, so that it does not hold up other requests
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is no JSON."},
    401: {"model": Problem, "description": "The token is missing or wrong."},
    408: {"model": Problem, "description": "The body took too long."},
    413: {"model": Problem, "description": "The body is too large."},
    415: {"model": Problem, "description": "The body is of another type, or encoded."},
    422: {"model": Problem, "description": "A value is not what the schema asks for."},
    429: {"model": Problem, "description": "The client has sent too many requests; see Retry-After."},
    500: {"model": Problem, "description": "The prediction failed."},
    503: {"model": Problem, "description": "Too many texts wait; see Retry-After."},
}


def build_application(service: Service, *, is_logged: bool = True) -> App:
    """Return the application of a service, which the caller starts and stops.

    Args:
        service: Loaded, with the task that the schema is of.
        is_logged: Whether to write the access log.
    """
    app = FastAPI(
        title="CoTPD",
        version=find_package_version("cotpd"),
        summary=f"Predictions of a student: {find_task(service.task).title}.",
        docs_url=None,  # its page loads assets from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_predictions(app, service)
    _add_neighbours(app, service)
    _add_states(app, service)
    _add_page(app)
    _add_refusals(app)
    return RequestGuard(app, ROUTES, service.limits, service.metrics, is_logged)


def _add_predictions(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/predict",
        response_model=service.models.answer,
        dependencies=[Depends(HTTPBearer(auto_error=False))] if service.needs_token else [],
        responses=_ERRORS,
        openapi_extra={"requestBody": _describe_body(service)},
    )
    async def predict(request: Request) -> Response:
        """Predict one text or several; all of a request by one version, which the answer names."""
        inputs = await _read_request(request, service)
        answer = await _wait_for_answer(request, service, inputs)
        if answer is None:
            return Response(status_code=ABANDONED)
        service.offer_sample(inputs, answer.predictions, answer.version)
        request.scope[DETAILS].update(texts=len(inputs), version=answer.version.version)
        return _build_response({"model": answer.version.describe(), "predictions": answer.predictions})


def _add_neighbours(app: FastAPI, service: Service) -> None:
    @app.post("/v1/neighbours", include_in_schema=False)
    async def show_neighbours(request: Request) -> Response:
        """Return the nearest training posts of each prediction of one text."""
        inputs = await _read_request(request, service)
        if len(inputs) > 1:
            raise RefusedError(422, "training posts are shown for one text at a time", "Send one.")
        if service.training_posts is None:
            return _build_response(describe_absence("This server shows none: start it with --data FOLDER."))
        return _build_response(await service.training_posts.explain(service.batcher.version, inputs[0]))


def _add_states(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    async def show_health() -> dict[str, bool]:
        """Say that the server runs."""
        return {"healthy": True}

    @app.get("/readyz", responses={503: {"description": "Requests are not answered."}})
    async def show_readiness() -> dict[str, Any]:
        """Say which version answers, and whether it is the one that the alias names."""
        readiness = service.describe_readiness()
        if not readiness["ready"]:
            return _build_response(readiness, 503)  # type: ignore[return-value]  # FastAPI hands a response on
        return readiness

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def show_metrics() -> Response:
        """Return all metrics in Prometheus' text format."""
        return Response(service.metrics.format(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_page(app: FastAPI) -> None:
    """Add the files of the page by name; no path is put together from a request."""
    folder = Path(__file__).parent / "page"
    for path, name in PAGE_FILES.items():
        route = _build_file_route((folder / name).read_bytes(), _TYPES[name.rpartition(".")[2]])
        app.add_route(path, route, methods=["GET"])


def _build_file_route(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def show_file(_: Request) -> Response:
        return Response(content, headers={"Content-Security-Policy": _POLICY}, media_type=media_type)

    return show_file


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refuse(_: Request, error: RefusedError) -> Response:
        problem = {"error": error.problem, "remedy": error.remedy}
        return _build_response(problem, error.status, error.headers)

    @app.exception_handler(404)
    async def refuse_path(_: Request, __: Exception) -> Response:
        return _build_response({"error": "there is no such path", "remedy": "See /openapi.json."}, 404)

    @app.exception_handler(405)
    async def refuse_method(_: Request, error: Any) -> Response:
        problem = {"error": "this path has no such method", "remedy": f"It has {error.headers['Allow']}."}
        return _build_response(problem, 405, error.headers)

    @app.exception_handler(500)
    async def fail(_: Request, __: Exception) -> Response:
        return _build_response({"error": "the server failed", "remedy": "Its log says where."}, 500)


async def _read_request(request: Request, service: Service) -> list[PredictionInput]:
    """Return the rows of a request that is allowed.

    Raises:
        RefusedError: It is not, or cannot be read.
    """
    client = request.client.host if request.client else ""
    if seconds := service.rates.take(client):
        raise RefusedError(429, "too many requests", "Send fewer.", retry_after=str(math.ceil(seconds)))
    if not service.is_allowed(request.headers.get("authorization", "")):
        raise RefusedError(
            401, "the token is missing or wrong", "Send Authorization: Bearer ...", www_authenticate="Bearer"
        )
    require_json(request.headers)
    body = await _read_body(request, service)
    if len(body) > _THREADED_BYTES:
        return await asyncio.to_thread(read_rows, body, service.models, service.task)
    return read_rows(body, service.models, service.task)


async def _read_body(request: Request, service: Service) -> bytes:
    """Return a request's body.

    Raises:
        RefusedError: 413 if it is too large, 408 if it does not come to an end.
    """
    most_bytes, body = service.limits.body_bytes, bytearray()
    too_large = RefusedError(413, f"the body is larger than {most_bytes:,} bytes", "Send fewer texts at once.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most_bytes:
        raise too_large
    try:
        async with asyncio.timeout(service.limits.read_seconds):
            async for part in request.stream():
                body += part
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise RefusedError(408, f"the body took longer than {service.limits.read_seconds:g} seconds") from None
    return bytes(body)


async def _wait_for_answer(request: Request, service: Service, inputs: list[PredictionInput]) -> Answer | None:
    """Return the answer to a request; None if its client went away, whose texts then leave the queue.

    Raises:
        RefusedError: 503 if too many texts wait, 500 if the prediction failed.
    """
    if not service.batcher.is_alive:
        raise RefusedError(503, "the server is stopping", "Ask again.", retry_after="5")
    try:
        queued = service.batcher.submit(inputs)
    except QueueFullError as error:
        seconds = math.ceil(error.seconds)
        service.metrics.record_error("queue_full")
        raise RefusedError(503, "too many texts wait", "Ask again.", retry_after=str(seconds)) from None
    answer = asyncio.wrap_future(queued)
    hang_up = asyncio.ensure_future(_wait_for_hang_up(request))
    await asyncio.wait((answer, hang_up), return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        queued.cancel()  # at once, while cancelling the answer would do so a turn of the loop later
        return None
    hang_up.cancel()
    try:
        return answer.result()
    except Exception:
        service.metrics.record_error("prediction")
        raise RefusedError(500, "the prediction failed", "The server's log says where.") from None


async def _wait_for_hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _build_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(value, separators=(",", ":"))
    return Response(content, status, headers, media_type=JSON)


def _describe_body(service: Service) -> dict[str, Any]:
    """Return what OpenAPI says of a request's body."""
    row = dict(find_task(service.task).example_row)
    several = [row] if find_task(service.task).reads_pair else [row["text"]]
    examples = {
        "one": {"summary": "One", "value": row},
        "several": {"summary": "Several", "value": {service.models.many_field: several}},
    }
    schema = service.models.build_schema()
    return {"required": True, "content": {JSON: {"schema": schema, "examples": examples}}}
