"""A served version: what a client sends is read as it was sent, or refused with its row's number."""

import json

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from cotpd.config import Params
from cotpd.pipeline.registration import register_student
from cotpd.registry.model_address import find_student_folder
from tests.trained_students import TEXT

RELATION = {"text": TEXT, "head": "Ada", "tail": "Acme"}


@pytest.fixture(scope="module")
def served(students, empty_registry, tmp_path_factory):
    """The status and the answer of a version of either task to a request's body, without the network between."""
    models = {}
    for task in ("ner", "re"):
        root = tmp_path_factory.mktemp(f"served-{task}")
        (root / "mlflow.db").write_bytes(empty_registry.read_bytes())
        params = Params(task=task)
        register_student(params, students[task], {"test": {"student": {"f1": 0.5}}}, root=root)
        folder = find_student_folder(f"models:/cotpd-{task}/1", params.register_, root).parents[1]
        models[task] = mlflow.pyfunc.load_model(str(folder))

    def ask(task, body, kind="application/json"):
        model = models[task]
        data = body if isinstance(body, str) else json.dumps(body)
        try:
            response = scoring_server.invocations(data, kind, model, model.metadata.get_input_schema())
        except MlflowException as error:
            return error.get_http_status_code(), str(error)
        return response.status, json.loads(response.response)["predictions"]

    return ask


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": None}, "text is missing"),
        ({}, "text is missing"),
        ({"words": TEXT}, "text is missing"),
        ({"text": 7}, "text is int, not text"),
        ({"text": 7.5}, "text is float, not text"),
        ({"text": float("nan")}, "text is missing"),
        ({"text": True}, "text is bool, not text"),
        ({"text": {"Ada": "Acme"}}, "text is dict, not text"),
        ({"text": ["Ada", "Acme"]}, "text is list, not text"),
        ({"text": []}, "text is list, not text"),
        (7, "is int, not"),
        (None, "is missing"),
        ("Ada", "is str, not"),
    ],
)
def test_a_row_that_is_no_text_is_refused_with_its_number(served, row, message):
    status, answer = served("ner", {"inputs": [{"text": TEXT}, row]})

    assert status == 400
    assert f"row 2: {message}" in answer or f"row 2 {message}" in answer


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (RELATION | {"head": None}, "head is missing"),
        (RELATION | {"head": 3}, "head is int, not text"),
        (RELATION | {"tail": {"text": "Acme"}}, "tail is dict, not text"),
        (RELATION | {"tail": [4, 900]}, "tail [4, 900] is no place"),
        (RELATION | {"tail": []}, "tail [] is no place"),
        ({"text": TEXT}, "head is missing"),
    ],
)
def test_a_pair_that_is_not_in_its_text_is_refused_with_its_number(served, row, message):
    status, answer = served("re", {"inputs": [RELATION, row]})

    assert status == 400
    assert f"row 2: {message}" in answer


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": 7},
        {"inputs": None},
        {"inputs": "Ada"},
        {"inputs": [7]},
        {"inputs": [[1, 2], [3, 4]]},
        {"inputs": {}},
        {"instances": [{"text": None}]},
        {"instances": [7]},
        {"dataframe_records": [{"text": None}]},
        {"dataframe_records": [{"text": {"Ada": 1}}]},
        {"dataframe_records": [{}]},
        {"dataframe_split": {"columns": ["text"], "data": [[None]]}},
        {"dataframe_split": {"columns": ["words"], "data": [[TEXT]]}},
    ],
)
def test_every_form_of_a_request_without_texts_is_refused_with_the_first_row(served, body):
    status, answer = served("ner", body)

    assert status == 400
    assert "row 1" in answer


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [{"text": TEXT, "id": 3}]},
        {"inputs": {"text": [TEXT]}},
        {"instances": [{"text": TEXT}]},
        {"dataframe_records": [{"text": TEXT}]},
        {"dataframe_split": {"columns": ["text"], "data": [[TEXT]]}},
    ],
)
def test_every_form_of_a_request_with_texts_is_answered(served, body):
    status, [answer] = served("ner", body)

    assert status == 200
    assert [(entity["text"], entity["type"]) for entity in answer["entities"]] == [("Ada", "PER"), ("Acme", "ORG")]


def test_a_csv_file_is_answered_and_its_empty_cells_are_refused(served):
    assert served("ner", f"text\n{TEXT}\n", "text/csv")[0] == 200
    status, answer = served("ner", f"id,text\n1,{TEXT}\n2,\n", "text/csv")
    assert status == 400
    assert "row 2: text is missing" in answer


def test_no_rows_have_no_predictions(served):
    assert served("ner", {"inputs": []}) == (200, [])


@pytest.mark.parametrize("pair", [{"head": "Ada", "tail": "Acme"}, {"head": [0, 3], "tail": [14, 18]}])
def test_a_pair_is_named_by_its_words_or_by_its_places(served, pair):
    status, [answer] = served("re", {"inputs": [{"text": TEXT, **pair}]})
    assert status == 200
    assert answer["label"] == "member"
