"""How a route runs: ORM connections looked after on the endpoint's own thread, names decoded once."""

import functools
import inspect
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from django.db import close_old_connections
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor


class OrmRoute(APIRoute):
    """Closes stale database connections before and after a sync endpoint.

    Django's connections belong to a thread, and a dependency may run on another thread than the endpoint, so the
    endpoint itself is wrapped.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint if inspect.iscoroutinefunction(endpoint) else _tended(endpoint), **options)


def _tended(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    def tended(*args: Any, **kwargs: Any) -> Any:
        close_old_connections()
        try:
            return endpoint(*args, **kwargs)
        finally:
            close_old_connections()

    return tended


class NameConvertor(Convertor[str]):
    """The rest of a raw path as a name: percent-decoded once, slashes and all. Never empty."""

    regex = ".+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", NameConvertor())
