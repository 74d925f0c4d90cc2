"""What the server says of itself in OpenAPI, and requests of every kind that schemathesis makes from it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cotpd.serving.application import build_application
from cotpd.serving.limits import Limits
from cotpd.serving.service import Service
from tests.serving.fake_predictor import build_version

FEW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=(Phase.explicit, Phase.generate),
)


@pytest.mark.slow
@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("task", "token"), [("ner", ""), ("re", ""), ("ner", "secret")])
def test_requests_made_from_the_schema_get_the_answers_that_it_names(task, token, mode):
    service = Service(build_version(task=task), Limits(texts=20, characters=200), token=token)
    service.batcher.start()
    schema = schemathesis.openapi.from_asgi("/openapi.json", build_application(service, is_logged=False))
    # a schema cannot ask for words of the text, and only a request with the token is accepted
    excluded = [positive_data_acceptance] if task == "re" or token else []

    paths = {check_operation(result.ok(), mode, excluded) for result in schema.get_all_operations()}

    assert paths == {"/v1/predict", "/healthz", "/readyz", "/metrics"}
    service.stop()


def check_operation(operation, mode, excluded):
    """Send requests to an operation, and compare each answer with the schema; return the operation's path."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @FEW
    def check(case):
        case.call_and_validate(excluded_checks=excluded)

    if mode is GenerationMode.POSITIVE or operation.body:  # nothing of the others can be made wrong
        check()
    return operation.path


@pytest.mark.parametrize("name", ["one", "several"])
@pytest.mark.parametrize("task", ["ner", "re"])
def test_the_examples_of_the_schema_are_answered(server, pair_server, task, name):
    asked = server if task == "ner" else pair_server
    operation = asked.send("/openapi.json").body["paths"]["/v1/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["examples"][name]["value"]

    assert asked.predict(example).status == 200
