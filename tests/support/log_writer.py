"""`python -m support.log_writer FILE NAME LINES`: writes numbered lines through the platform's own file handler.

It rotates every second, and the lines come in bursts just as a second begins, so that every burst meets a rotation. A
child forked with the handler open writes half of them, as a prefork worker's do.
"""

import logging
import os
import sys
import time
from pathlib import Path

from app.core.log_files import DailyFile
from app.core.log_lines import OneLine
from app.core.redaction import Redactor
from support.waiting import wait_until

BURSTS = 4


def write(logger: logging.Logger, name: str, count: int) -> None:
    for burst in range(BURSTS):
        second = int(time.time())  # noqa: TID251  the rotation's own clock
        wait_until(lambda before=second: int(time.time()) > before, 5, "the next second", every=0.002)  # noqa: TID251
        for number in range(burst * count // BURSTS, (burst + 1) * count // BURSTS):
            logger.info("line %s %d of a length that fills a page after a while %s", name, number, "." * 60)


def main() -> int:
    path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    handler = DailyFile(path, when="S")
    handler.setFormatter(OneLine(Redactor()))
    logger = logging.getLogger("writer")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    child = os.fork()
    write(logger, f"{name}-{'parent' if child else 'child'}", count // 2)
    if not child:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
