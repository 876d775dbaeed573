"""Keys in the database: shown once, kept as digests, ended for ever; the first one from the environment."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from app.access import services
from app.access.attempts import LIMIT, count_attempt, take_back
from app.access.errors import KeyExpiryError, KeyNameError, KeyNameTakenError, UnknownKeyError, WeakKeyError
from app.access.models import ApiKey
from app.access.scopes import Principal, Scope
from app.access.services import authenticate, ensure_bootstrap_key, issue, keys_exist, revoke
from livebeat import clock
from support.access import BOOTSTRAP


@pytest.fixture
def attempts(redis_url: str) -> Iterator["redis.Redis"]:
    """The Redis in which attempts are counted."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def test_a_key_is_shown_once_and_kept_as_a_digest(db: None) -> None:
    row, text = issue("ci", Scope.OPERATOR)
    brand, prefix, secret = text.split("_", 2)
    assert (brand, prefix, len(secret)) == ("lb", row.prefix, 43)
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    stored = ApiKey.objects.values().get()
    assert not any(secret in str(value) for value in stored.values())
    assert authenticate(text) == Principal("ci", Scope.OPERATOR, "key")
    assert issue("other", Scope.OPERATOR)[1] != text


def test_expired_and_revoked_keys_open_nothing(db: None) -> None:
    _, short = issue("short", Scope.ADMIN, clock.now() + timedelta(hours=1))
    assert authenticate(short) is not None
    ApiKey.objects.update(expires_at=clock.now())
    assert authenticate(short) is None
    row, gone = issue("gone", Scope.ADMIN)
    assert revoke(row.prefix) == row
    assert authenticate(gone) is None
    with pytest.raises(UnknownKeyError):
        revoke("gone")
    assert keys_exist()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:-1],
        lambda text: text + "x",
        str.upper,
        lambda text: text.split("_", 2)[2],
        lambda text: "lb_" + "a" * 12 + "_" + text.split("_", 2)[2],
        lambda _: "",
        lambda _: "lb__",
        lambda _: "\udcff" * 50,
        lambda _: "x" * 100_000,
    ],
)
def test_anything_but_the_key_itself_opens_nothing(db: None, spoil: Callable[[str], str]) -> None:
    _, text = issue("ci", Scope.ADMIN)
    assert authenticate(spoil(text)) is None


def test_known_and_unknown_prefixes_take_the_same_path(db: None, django_assert_num_queries: Any) -> None:
    _, text = issue("ci", Scope.ADMIN)
    wrong = text[:-3] + "zzz"
    for presented in (wrong, "lb_" + "q" * 12 + "_" + "q" * 43, "whatever"):
        with (
            patch.object(services.hmac, "compare_digest", wraps=services.hmac.compare_digest) as compared,
            django_assert_num_queries(1),
        ):
            assert authenticate(presented) is None
        assert compared.call_count == 1


def test_use_is_noted_at_most_once_a_minute(db: None, django_assert_num_queries: Any) -> None:
    row, text = issue("ci", Scope.VIEWER)
    authenticate(text)
    row.refresh_from_db()
    assert row.last_used_at is not None
    with django_assert_num_queries(1):
        authenticate(text)
    ApiKey.objects.update(last_used_at=clock.now() - timedelta(minutes=2))
    authenticate(text)
    row.refresh_from_db()
    assert row.last_used_at > clock.now() - timedelta(minutes=1)


def test_a_name_is_in_use_once(db: None) -> None:
    issue("ci", Scope.VIEWER)
    with pytest.raises(KeyNameTakenError):
        issue(" ci ", Scope.ADMIN)
    revoke("ci")
    issue("ci", Scope.ADMIN)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_names_that_say_nothing(db: None, name: str) -> None:
    with pytest.raises(KeyNameError):
        issue(name, Scope.VIEWER)


@pytest.mark.parametrize("end", [clock.now(), datetime(2999, 1, 1)])
def test_ends_that_are_past_or_have_no_zone(db: None, end: datetime) -> None:
    with pytest.raises(KeyExpiryError):
        issue("ci", Scope.VIEWER, end)


def test_the_bootstrap_key_is_made_once_and_stays_as_it_was_left(db: None) -> None:
    assert ensure_bootstrap_key(BOOTSTRAP) == "made"
    assert authenticate(BOOTSTRAP) == Principal("bootstrap", Scope.ADMIN, "key")
    assert ensure_bootstrap_key(BOOTSTRAP) == "known"
    revoke("bootstrap")
    assert ensure_bootstrap_key(BOOTSTRAP) == "known"
    assert authenticate(BOOTSTRAP) is None
    assert ensure_bootstrap_key(BOOTSTRAP + "-another") == "ignored"
    assert ApiKey.objects.count() == 1
    with pytest.raises(WeakKeyError):
        ensure_bootstrap_key("short")


def test_many_processes_make_one_bootstrap_key(transactional_db: None) -> None:
    def make(_: int) -> str:
        try:
            return ensure_bootstrap_key(BOOTSTRAP)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(make, range(8)))
    assert sorted(set(outcomes)) == ["known", "made"]
    assert outcomes.count("made") == 1
    assert ApiKey.objects.count() == 1


def test_the_command(db: None) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("api_key", "create", "ci", "--scope", "operator", "--expires-in-days", "30", stdout=out, stderr=err)
    text = out.getvalue().strip()
    assert authenticate(text) == Principal("ci", Scope.OPERATOR, "key")
    assert text not in err.getvalue()
    for json_form in ((), ("--json",)):
        shown = io.StringIO()
        call_command("api_key", "list", *json_form, stdout=shown)
        assert "ci" in shown.getvalue()
        assert text.split("_", 2)[2] not in shown.getvalue()
    listed = json.loads(shown.getvalue())
    assert set(listed[0]) == {"name", "prefix", "scope", "created_at", "expires_at", "revoked_at", "last_used_at"}
    call_command("api_key", "revoke", "ci", stdout=io.StringIO())
    assert authenticate(text) is None
    for wrong in (("revoke", "ci"), ("create", "x", "--scope", "viewer", "--expires-in-days", "0")):
        with pytest.raises(CommandError):
            call_command("api_key", *wrong)


def test_the_admin_shows_no_secret_and_only_revokes(admin_client: Client) -> None:
    row, text = issue("ci", Scope.ADMIN)
    for path in ("/admin/access/apikey/", f"/admin/access/apikey/{row.pk}/change/"):
        page = admin_client.get(path).content.decode()
        assert row.prefix in page
        assert row.digest not in page
        assert text.split("_", 2)[2] not in page
    assert admin_client.get("/admin/access/apikey/add/").status_code == 403
    assert admin_client.post(f"/admin/access/apikey/{row.pk}/delete/").status_code == 403
    admin_client.post("/admin/access/apikey/", {"action": "revoke_selected", "_selected_action": [row.pk]})
    assert authenticate(text) is None


def test_fifty_parallel_attempts_count_fifty(attempts: "redis.Redis") -> None:
    with ThreadPoolExecutor(10) as pool:
        waits = list(pool.map(lambda _: count_attempt(attempts, "key", "10.0.0.1"), range(50)))
    assert attempts.get("app:attempts:key:10.0.0.1") == "50"
    assert waits.count(0) == LIMIT
    assert all(0 <= wait <= 300 for wait in waits)
    assert count_attempt(attempts, "key", "10.0.0.2") == 0
    assert count_attempt(attempts, "sign-in", "10.0.0.1") == 0
    take_back(attempts, "key", "10.0.0.9")
    assert all(attempts.ttl(key) > 0 for key in attempts.scan_iter("app:attempts:*"))
