"""Fixtures: the API over real HTTP in this process. A test module says `pytest_plugins = ["support.api"]`.

`api` is a client of it; it brings the private Redis and the database, both empty. With `absent_redis` its Redis is gone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import redis
from django.db import connections

from support.serving import serving


@contextmanager
def thrifty_connections() -> Iterator[None]:
    """Server threads give their database connections back, so that the test database can be dropped."""
    options = connections.settings["default"]
    kept, options["CONN_MAX_AGE"] = options["CONN_MAX_AGE"], 0
    yield
    options["CONN_MAX_AGE"] = kept


@pytest.fixture(scope="session")
def _api_server() -> Iterator[httpx2.Client]:
    from app.api.application import create
    from app.core.settings import get_settings
    from app.django_project.asgi import application

    with thrifty_connections(), serving(create(get_settings(), cast("Any", application))) as server:
        yield server.http


@pytest.fixture
def api(_api_server: httpx2.Client, redis_url: str, transactional_db: None) -> httpx2.Client:
    """A client of the API."""
    return _api_server


@pytest.fixture
def absent_redis(api: httpx2.Client, tmp_path: Path) -> Iterator[None]:
    """No server at the address where the API looks for Redis."""
    from app.core.celery_app import celery_app
    from livebeat.connection import link

    pool = link(celery_app).client.connection_pool
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(pool.connection_kwargs, "path", str(tmp_path / "nothing.sock"))
        _forget_connections(pool)
        yield
    _forget_connections(pool)


def _forget_connections(pool: redis.ConnectionPool) -> None:
    pool.disconnect()
    pool.reset()
