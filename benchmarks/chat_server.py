"""A chat server for benchmarks: it answers after a set time, in a set number of slots, at next to no cost.

    python -m benchmarks.chat_server --latency 0.2 --slots 64

It prints its port. Every answer is the same, so that the measured time is that of the client.
"""

import argparse
import asyncio
import json
import math
import random

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "still",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A city. " * 20}}
        ],
        "usage": {"prompt_tokens": 300, "completion_tokens": 60, "total_tokens": 360},
    }
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)


async def serve(latency: float, slots: int, spread: float = 0.0) -> None:
    """Print the port, then answer until the process is killed.

    Times come from a lognormal distribution of mean ``latency``. Their logarithm has the deviation ``spread``.
    """
    draws = random.Random(13)
    free_slots = asyncio.Semaphore(slots)

    async def answer_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
                async with free_slots:
                    await asyncio.sleep(latency * math.exp(draws.gauss(0.0, spread) - spread**2 / 2))
                writer.write(RESPONSE)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer_requests, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--spread", type=float, default=0.0, help="deviation of the logarithm of the time")
    options = parser.parse_args()
    asyncio.run(serve(options.latency, options.slots, options.spread))
