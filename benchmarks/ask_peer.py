"""The work of benchmarks.ask as distilabel does it; run by the Python of an environment that has it.

    PYTHON benchmarks/ask_peer.py ADDRESS CONVERSATIONS.jsonl SLOTS FOLDER

It imports nothing of ours. The last line that it prints is one of JSON: answers, seconds, processor seconds.
"""

import json
import resource
import sys
import time
from pathlib import Path


def main(address: str, conversations: str, slots: str, folder: str) -> None:
    """Ask each conversation's question once, as many at a time as the server has slots."""
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts
    from distilabel.steps.tasks import ChatGeneration

    rows = [json.loads(line) for line in Path(conversations).read_text("utf-8").splitlines()]
    began = time.perf_counter()
    with Pipeline("ask", cache_dir=folder) as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=int(slots))
        wanted = {"max_new_tokens": 64, "temperature": 0.0}
        llm = OpenAILLM(model="still", base_url=address, api_key="none", generation_kwargs=wanted)
        load >> ChatGeneration(llm=llm, input_batch_size=int(slots))
    made = pipeline.run(use_cache=False)["default"]["train"]
    took = time.perf_counter() - began
    # its steps are processes of their own
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    answered = sum(text is not None for text in made["generation"])
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in spent)
    print("\n" + json.dumps({"answered": answered, "seconds": took, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
