"""Fixtures: the API over real HTTP in this process. A test module says `pytest_plugins = ["support.api"]`.

`api` is a client of it; it brings the private Redis and the database, both empty.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx2
import pytest
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
