"""The packed model's code: MLflow runs this file when a version is loaded or served.

It is executed on its own, with the package that was packed beside the weights on the path, so it imports nothing
but that package, and late, after MLflow has put it there.
"""

from typing import Any

import mlflow
import pandas as pd


class Served(mlflow.pyfunc.PythonModel):
    """A student behind MLflow's interface: one row in, one record out.

    Named entities: column ``text``; ``{"entities": [{"start", "end", "type", "text", "score"}]}``, in characters.
    Relations: columns ``text``, ``head`` and ``tail``, the latter two as they stand in the text;
    ``{"label", "score"}``.
    """

    def load_context(self, context: Any) -> None:
        """Load the weights, once per process."""
        from cotpd.student import Student

        self.student = Student.from_pretrained(context.artifacts["student"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[dict]:
        """Predict each row; a row that cannot be read is refused with its number (HTTP 400).

        The model's signature names no inputs, or MLflow would turn null, numbers and objects into text before they
        come here; without one it hands on whatever form the request had.
        """
        from cotpd.errors import CotpdError
        from cotpd.registry.rows import predict_rows, rows_of

        try:
            return predict_rows(self.student, rows_of(model_input))
        except CotpdError as error:
            raise mlflow.exceptions.MlflowException.invalid_parameter_value(str(error)) from None


mlflow.models.set_model(Served())
