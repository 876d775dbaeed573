"""The platform's Celery app with a few tasks more: some that tell secrets to whoever listens, as a careless one would."""

import json
import logging
import threading
from typing import Any

from app.core.celery_app import celery_app as app
from app.core.celery_app import schedulable
from app.core.settings import get_settings

logger = logging.getLogger("app.tasks.stats")
other = logging.getLogger("app.tasks.scheduler")


@app.task(name="app.tasks.stats.leak")
def leak(access_token: str, password: str) -> None:
    """Log secrets in every usual shape, then fail with some of them in the error."""
    pair = {"access_token": access_token, "refresh_token": access_token}
    logger.info("Cookie: access_token=%s; refresh_token=%s", access_token, access_token)
    logger.info("headers %r", [(b"authorization", f"Bearer {access_token}".encode())])
    logger.warning("sent %s and %r", json.dumps(json.dumps(pair)), pair)
    logger.error("connecting to redis://user:%s@db:6379/0", password)
    logger.info("keys %s", list(get_settings().secret_values.values()))
    threading.Thread(target=_fail, args=(access_token,), name="leaky").start()
    try:
        _fail(access_token)
    except RuntimeError as error:
        raise ValueError(f"login failed: password={password}") from error


@app.task(name="app.tasks.stats.tell")
def tell(text: str) -> None:
    """Log from the two modules, then succeed."""
    logger.info("stats says %s", text)
    logging.getLogger("elsewhere").info("library says %s", text)


@app.task(name="app.tasks.scheduler.tell")
def tell_other(text: str) -> None:
    """Log from a task of another queue."""
    other.info("crawl says %s", text)


@schedulable
@app.task(name="app.tasks.stats.fail")
def fail(why: str) -> None:
    """Fail."""
    raise RuntimeError(why)


def _fail(access_token: str) -> Any:
    raise RuntimeError({"access_token": access_token, "user": 7})
