"""JSON as shell scripts write it: `"hour": $(date +%H)` is `08` before ten o'clock, which JSON doesn't allow.

A body that is JSON is taken as it is. Only one that isn't is read a second time without the leading zeros of its
numbers; text is never touched.
"""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from app.api.routing import OrmRoute

#: A text that is never closed goes to the end: else each quote in it would be tried as a beginning.
_TEXT_OR_ZEROS = re.compile(rb'("(?:[^"\\]|\\.)*(?:"|\\?\Z))|(?<![\w.+-])0+(?=\d)', re.DOTALL)


def without_leading_zeros(body: bytes) -> bytes:
    """`body` with its whole numbers in JSON's spelling: 08 as 8, 00 as 0."""
    return _TEXT_OR_ZEROS.sub(lambda match: match[1] or b"", body)


class _ShellRequest(Request):
    async def json(self) -> Any:
        try:
            return await super().json()
        except json.JSONDecodeError as error:
            try:
                return json.loads(without_leading_zeros(await self.body()))
            except json.JSONDecodeError:
                raise error from None  # where the caller's own text is wrong


class ShellRoute(OrmRoute):
    """A route whose JSON body may have been put together by a shell script."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, reading the body as above."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_ShellRequest(request.scope, request.receive))

        return handle
