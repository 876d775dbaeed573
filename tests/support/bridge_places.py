"""Fixtures: the old list beside the ledger, or apart from it. A test module says `pytest_plugins = ["support.bridge_places"]`."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from app.core.settings import Settings
from support.bridges import Place
from support.engine import connect


@contextmanager
def _place(redis_url: str, database: int) -> Iterator[Place]:
    theirs = SecretStr(f"{redis_url.partition('?')[0]}?db={database}") if database else None
    settings = Settings(redis_url=SecretStr(redis_url), bridge_redis_url=theirs)
    with connect(settings.bridge_client_url or redis_url) as old, connect(redis_url) as store:
        yield Place(old, store, settings)


@pytest.fixture(params=["beside", "apart"])
def place(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Place]:
    """The old list beside the ledger, and in another database."""
    with _place(redis_url, 0 if request.param == "beside" else 3) as found:
        yield found


@pytest.fixture
def beside(redis_url: str) -> Iterator[Place]:
    """The old list beside the ledger."""
    with _place(redis_url, 0) as found:
        yield found


@pytest.fixture
def apart(redis_url: str) -> Iterator[Place]:
    """The old list in another database."""
    with _place(redis_url, 3) as found:
        yield found
