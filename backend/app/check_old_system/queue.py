"""The old Redis lists: what lies on them, and who seems to take it off. Only reads, in pages."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import redis

from app.bridge.lists import Lists, lists_of
from app.bridge.messages import Request, entry_of, read
from app.check_old_system.findings import Findings
from app.core.celery_app import celery_app
from app.core.settings import get_settings
from app.domains.velog.queries import active_user_ids
from livebeat.connection import link

#: Items of each list that are looked at.
MOST = 20_000
_PAGE = 500
_SECONDS = 10.0
#: What any Celery worker leaves in the database that it waits in.
_CELERY = ("_kombu.binding.celery.pidbox", "_kombu.binding.celeryev")
_OLDEST = (6, 2)


def check_queue(findings: Findings, *, users_known: bool) -> None:
    """Look at the server and the three lists. `users_known`: whether the database can say who is a user.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    settings = get_settings()
    url = settings.bridge_client_url or settings.client_url
    # Of its own: what other programs pushed need not be UTF-8.
    client = redis.Redis.from_url(
        url,
        decode_responses=True,
        encoding_errors="surrogateescape",
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
    )
    with client:
        _check(replace(lists_of(link(celery_app), settings), client=client), findings, users_known=users_known)


def _check(lists: Lists, findings: Findings, *, users_known: bool) -> None:
    _check_server(lists, findings)
    if lists.is_apart:
        findings.add("apart")
    users = set(active_user_ids()) if users_known else None
    lengths = findings.figures["lists"] = {}
    for key in (lists.main, lists.processing, lists.failed):
        type_ = str(lists.client.type(key))
        if type_ not in ("list", "none"):
            findings.add("no-list", key=key, type=type_)
            continue
        lengths[key] = int(lists.client.llen(key))
        _check_list(lists, key, lengths[key], users, findings)
    _check_consumers(lists, findings)


def _check_server(lists: Lists, findings: Findings) -> None:
    server = lists.client.info("server")
    version = str(server.get("valkey_version") or server["redis_version"])
    findings.figures["redis"] = version
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        findings.add("redis-version", version=version)


def _check_list(lists: Lists, key: str, length: int, users: set[int] | None, findings: Findings) -> None:
    asked: Counter[int] = Counter()
    malformed = 0
    for text in _items(lists.client, key):
        request = read(text, len(text.encode("utf-8", "surrogateescape")))
        if isinstance(request, Request):
            asked[request.user_id] += 1
        else:
            malformed += 1
    if length > MOST:
        findings.add("not-all", key=key, count=length, looked=MOST)
    if malformed and key != lists.failed:  # there they are where they belong
        findings.add("malformed", key=key, count=malformed)
    strange = sum(count for user, count in asked.items() if users is not None and user not in users)
    if strange and key != lists.failed:
        findings.add("unknown-users", key=key, count=strange)
    if key == lists.main and asked.total() > len(asked):
        findings.add("repeated", key=key, count=asked.total() - len(asked))
    left = sum(entry_of(text) is None for text in _items(lists.client, key)) if key == lists.processing else 0
    if left:
        findings.add("left-over", key=key, count=left)


def _items(client: "redis.Redis", key: str) -> Iterator[str]:
    for start in range(0, MOST, _PAGE):
        page = cast("list[str]", client.lrange(key, start, start + _PAGE - 1))
        yield from page
        if len(page) < _PAGE:
            return


def _waits(client: dict[str, str], command: str) -> bool:
    """Whether a connection is blocked in this command; one that only used it last is no consumer any more."""
    return client.get("cmd") == command and "b" in client.get("flags", "")


def _check_consumers(lists: Lists, findings: Findings) -> None:
    """An old consumer waits with BRPOP, the later one with BLMOVE. So does a Celery worker, with BRPOP."""
    try:
        clients = lists.client.client_list()
    except redis.ResponseError:
        findings.add("clients-unknown")
        return
    db = str(lists.client.connection_pool.connection_kwargs.get("db") or 0)
    has_workers = bool(lists.client.exists(*_CELERY))
    for command in ("blmove", "brpop"):
        found = [client["addr"] for client in clients if _waits(client, command) and client.get("db") == db]
        if found and (command == "blmove" or not has_workers):
            findings.add("consumer", count=len(found), command=command.upper(), addresses=", ".join(sorted(found)))
        elif found:
            findings.add("clients-unknown")
