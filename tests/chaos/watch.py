"""What the product says of itself, asked from a thread of its own once a second: may slots be expected to come out?"""

import threading
from types import TracebackType
from typing import Self

from celery import Celery

from chaos import account
from chaos.history import Health


class Watch:
    """`health` grows from the start of the context to its end."""

    def __init__(self, app: Celery) -> None:
        self.health: list[Health] = []
        self._app = app
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="chaos-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(15)

    def _look(self) -> None:
        while not self._stop.wait(1.0):
            self.health.append(account.health(self._app))
