"""distilabel's side of benchmarks.ask, run by the Python of an environment that has distilabel.

    PYTHON benchmarks/ask_peer.py ADDRESS CONVERSATIONS.jsonl SLOTS FOLDER

It imports nothing of CoTPD, which that environment lacks. The last line that it prints is JSON: answered, seconds
and cpu (processor seconds).
"""

import json
import resource
import sys
import time
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import ChatGeneration


def main(address: str, conversations: str, slots: str, folder: str) -> None:
    """Ask the question of each conversation once, at most as many at a time as the server has slots."""
    rows = [json.loads(line) for line in Path(conversations).read_text("utf-8").splitlines()]
    start = time.perf_counter()
    with Pipeline("ask", cache_dir=folder) as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=int(slots))
        generation = {"max_new_tokens": 64, "temperature": 0.0}
        llm = OpenAILLM(model="still", base_url=address, api_key="none", generation_kwargs=generation)
        load >> ChatGeneration(llm=llm, input_batch_size=int(slots))
    rows_with_answers = pipeline.run(use_cache=False)["default"]["train"]
    seconds = time.perf_counter() - start

    # distilabel runs each step in a child process
    usages = [resource.getrusage(target) for target in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    answered = sum(text is not None for text in rows_with_answers["generation"])
    print("\n" + json.dumps({"answered": answered, "seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
