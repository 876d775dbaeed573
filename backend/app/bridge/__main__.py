"""The bridge as a process: SIGTERM and SIGINT end it after the step in hand, with exit status 0."""

import signal
import socket
import sys
import threading
from types import FrameType

from app.bridge.service import Bridge
from app.core.celery_app import celery_app
from app.core.process import begin
from app.core.settings import get_settings
from livebeat.connection import link


def main() -> int:
    """Run until told to stop."""
    begin("bridge")
    stop = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    Bridge(link(celery_app), get_settings(), socket.gethostname(), stop).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
