"""The recorder as a process: SIGTERM and SIGINT end it after the batch in hand, with exit status 0."""

import signal
import socket
import sys
import threading
from types import FrameType

from app.core.celery_app import celery_app
from app.core.process import begin
from app.recorder.service import Recorder
from livebeat.connection import link


def main() -> int:
    """Run until told to stop."""
    begin("recorder")
    stop = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    engine = link(celery_app)
    Recorder(engine.client, engine.keys, socket.gethostname(), stop).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
