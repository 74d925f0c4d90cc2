"""Work for an engine, which the workers of a cluster import."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence

from cotpd.errors import DataError
from cotpd.images.captioner import Description, PictureCaptioner
from cotpd.images.pictures import Picture

ASK_ON_RAY = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores Ctrl-C
from cotpd.engine.ordered_map import open_engine
from cotpd.engine.params import ScaleParams
from cotpd.interrupts import interrupt_on_sigterm
from cotpd.llm.ask import ask
from cotpd.llm.params import LlmParams
from tests.chat_server import build_questions
with interrupt_on_sigterm(), open_engine(ScaleParams.model_validate_json(sys.argv[1])) as engine:
    ask(build_questions(*map(str, range(300))), LlmParams.model_validate_json(sys.argv[2]), engine=engine)
"""
# What a node's sitecustomize.py does to its workers.
WITHOUT_COTPD = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "cotpd":
            raise ModuleNotFoundError("No module named 'cotpd'", name="cotpd")
sys.meta_path.insert(0, Blocker())
"""
WITH_OLD_NUMPY = """
import importlib.metadata as metadata
read_version = metadata.version
metadata.version = lambda name: "1.0" if name == "numpy" else read_version(name)
"""
ON_ANOTHER_HOST = "import socket\nsocket.gethostname = lambda: 'elsewhere'\n"


class SizeCaptioner(PictureCaptioner):
    """Says a picture's size, and after which process."""

    backend, batch_size = "tags", 2

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        return [Description(f"{picture.image.width} by {picture.image.height}") for picture in pictures]


def multiply_slowly(seconds: float, items: Iterable[int]) -> Iterator[int]:
    for item in items:
        time.sleep(seconds)
        yield 2 * item


def fail_at(number: int, items: Iterable[int]) -> Iterator[int]:
    for item in items:
        if item == number:
            raise DataError(f"row {item}: broken", "Mend it.")
        yield item


def report_node(items: Iterable[int]) -> Iterator[int]:
    for _ in items:
        time.sleep(0.05)
        yield os.getppid()  # the node's own process, which has started this one


def end_process(items: Iterable[int]) -> Iterator[int]:
    yield from items
    os._exit(7)
