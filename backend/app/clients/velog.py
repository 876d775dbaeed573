"""velog's GraphQL: who the tokens belong to, all their posts, the views of one.

One client a user: it sends this user's two cookies and nobody else's, and keeps the pair that v3 hands back when it
refreshes them (`VelogClient.tokens`; the caller saves it). Tokens that velog doesn't accept are a value (`None` from
`current_user`), since velog answers them with a plain "nobody".

velog's page cursor is strict (`released_at <` the cursor's), and a cursor whose post is gone starts over at page 1.
How `posts` copes is told in `app.clients.velog_paging`.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2
from pydantic import BaseModel, ConfigDict, Field, RootModel

from app.clients.http import Answer, Patience, Upstream, UpstreamClient, validated
from app.clients.text import CleanText
from app.clients.velog_paging import PAGE_SIZE, PostWalk, VelogPost
from app.core.errors import ShapeChangedError, UpstreamRejectedError, UpstreamUnavailableError
from app.core.settings import Settings, get_settings

SERVICE = "velog"
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
#: The largest number that the statistics table's columns hold.
MAX_COUNT = 2**31 - 1
_CURRENT_USER = "query currentUser { currentUser { id username email profile { thumbnail } } }"
_POSTS = "query velogPosts($input: GetPostsInput!) { posts(input: $input) { id title url_slug likes released_at } }"
_STATS = "query GetStats($post_id: ID!) { getStats(post_id: $post_id) { total } }"
#: Apollo's word for its own failure, sent with status 200.
_THEIR_FAULT = {"INTERNAL_SERVER_ERROR"}


@dataclass(frozen=True)
class VelogTokens:
    """A user's access and refresh token in plain text; never shown."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class VelogProfile(BaseModel):
    """The part of a profile that we keep."""

    model_config = ConfigDict(frozen=True)

    thumbnail: CleanText | None = None


class VelogUser(BaseModel):
    """Who the tokens belong to."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    username: CleanText = Field(min_length=1)
    email: CleanText | None = None
    profile: VelogProfile | None = None


class _Stats(BaseModel):
    total: int = Field(ge=0, le=MAX_COUNT, strict=True)


class _Posts(RootModel[list[VelogPost]]):
    pass


class _TokenCookies(httpx2.Auth):
    """Both tokens as one cookie header."""

    def __init__(self, tokens: VelogTokens) -> None:
        self._tokens = tokens

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        tokens = self._tokens
        request.headers["cookie"] = f"access_token={tokens.access}; refresh_token={tokens.refresh}"
        yield request


class VelogClient(UpstreamClient):
    """velog as one user sees it. Use as a context manager; `stats` may be called from several threads."""

    def __init__(
        self, tokens: VelogTokens, *, settings: Settings | None = None, patience: Patience | None = None
    ) -> None:
        settings = settings or get_settings()
        self.tokens = tokens
        self._graphql_url = settings.velog_graphql_url
        self._stats_url = settings.velog_stats_url
        self._upstream = Upstream(
            SERVICE,
            per_second=settings.velog_requests_per_second,
            redis_url=settings.client_url,
            patience=patience,
        )

    def current_user(self) -> VelogUser | None:
        """The tokens' owner, or None if velog doesn't accept them.

        Raises:
            UpstreamError: velog did not answer as it should.
        """
        value = self._v3("currentUser", {"query": _CURRENT_USER})
        return None if value is None else validated(SERVICE, "currentUser", VelogUser, value)

    def posts(self, username: str) -> PostWalk:
        """All posts of `username` that these tokens may see, newest first, a page at a time.

        Iterating raises UpstreamError where a page fails; a part of the list is never passed off as the whole.
        """

        def page(cursor: str) -> list[VelogPost]:
            given = {"cursor": cursor, "username": username, "limit": PAGE_SIZE, "tag": ""}
            value = self._v3("posts", {"query": _POSTS, "variables": {"input": given}})
            return validated(SERVICE, "posts", _Posts, value).root

        return PostWalk(SERVICE, page)

    def stats(self, post_id: UUID) -> int:
        """Views of a post since it was published; only its owner may ask.

        Raises:
            UpstreamRejectedError: no such post (`facts["code"]` NOT_FOUND) or not theirs (NO_PERMISSION).
            UpstreamError: velog did not answer as it should.
        """
        body = {"query": _STATS, "operationName": "GetStats", "variables": {"post_id": str(post_id)}}
        auth = _TokenCookies(self.tokens)
        value = _value(self._upstream.call("POST", self._stats_url, step="getStats", auth=auth, body=body), "getStats")
        return validated(SERVICE, "getStats", _Stats, value).total

    def _v3(self, step: str, body: dict[str, Any]) -> Any:
        auth = _TokenCookies(self.tokens)
        answer = self._upstream.call("POST", self._graphql_url, step=step, auth=auth, body=body)
        self.tokens = refreshed(self.tokens, answer.headers.get_list("set-cookie"))
        return _value(answer, step)


def refreshed(tokens: VelogTokens, set_cookies: list[str]) -> VelogTokens:
    """The pair after an answer's Set-Cookie headers: the new one only if both came and both are tokens.

    Cookies of other names, and the empty ones by which velog signs somebody out, change nothing.
    """
    pairs = (header.split(";", 1)[0].partition("=") for header in set_cookies)
    given = {name.strip(): value.strip().strip('"') for name, _, value in pairs}
    access, refresh = given.get("access_token", ""), given.get("refresh_token", "")
    if TOKEN.fullmatch(access) and TOKEN.fullmatch(refresh):
        return VelogTokens(access, refresh)
    return tokens


def _value(answer: Answer, step: str) -> Any:
    """The `step` field of a GraphQL answer's `data`, or the error that it carries instead."""
    document = answer.data if isinstance(answer.data, dict) else {}
    errors = document.get("errors")
    if errors or answer.status >= 400:
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        extensions = first.get("extensions")
        extensions = extensions if isinstance(extensions, dict) else {}
        code = str(extensions.get("code") or extensions.get("name") or answer.status)[:60]
        reason = f"{step}: {str(first.get('message') or 'no message')[:200]} ({code})"
        kind = UpstreamUnavailableError if code in _THEIR_FAULT else UpstreamRejectedError
        raise kind(SERVICE, reason, status=answer.status, code=code)
    data = document.get("data")
    if not isinstance(data, dict) or step not in data:
        raise ShapeChangedError(
            SERVICE, f"{step}: the answer has no data.{step}", reason_ko=f"{step}: 응답에 data.{step} 항목이 없습니다"
        )
    return data[step]
