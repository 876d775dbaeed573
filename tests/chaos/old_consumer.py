"""The hand-rolled consumer that Livebeat takes the place of, in its first form, for the negative control.

`python -m chaos.old_consumer REDIS_URL EVIDENCE SECONDS`: BRPOP, LPUSH to `:processing`, work, LREM; one at a time.
"""

import sys
import threading
from pathlib import Path

import redis

QUEUE = "vd2:queue:stats-refresh"
PROCESSING = f"{QUEUE}:processing"


def main() -> None:
    """Until it is killed."""
    url, evidence, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    client = redis.Redis.from_url(url, decode_responses=True)
    while True:
        _, message = client.brpop(QUEUE)
        client.lpush(PROCESSING, message)
        threading.Event().wait(seconds)
        with evidence.open("a") as file:
            file.write(f"{message}\n")
        client.lrem(PROCESSING, 1, message)


if __name__ == "__main__":
    main()
