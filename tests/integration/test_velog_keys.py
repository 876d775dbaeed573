"""`replace_token_keys`: stored tokens move to the next key, whatever happens meanwhile, and it says when all have."""

import io
import uuid
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from pydantic import SecretStr

from app.core.settings import Settings, get_settings
from app.domains.velog import rotation, tokens
from app.domains.velog.models import User
from app.domains.velog.rotation import Replaced, replace_keys
from app.domains.velog.services import put_user

pytestmark = pytest.mark.django_db

ACCESS, REFRESH = "acc.ess.token", "ref.resh.token"
NEXT = "fedcba9876543210fedcba9876543210"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """As the processes would read them: a next key for groups of number 3."""
    monkeypatch.setenv("AES_KEY_3_NEXT", NEXT)
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def add(group_id: int) -> User:
    """A user from before there was a next key."""
    before = get_settings().model_copy(update={"aes_key_3_next": None})
    identity = uuid.uuid4()
    record = {"velog_uuid": identity, "group_id": group_id, "access_token": ACCESS, "refresh_token": REFRESH}
    put_user(record, settings=before)
    return User.objects.get(velog_uuid=identity)


def run() -> str:
    out = io.StringIO()
    call_command("replace_token_keys", stdout=out)
    return out.getvalue()


def test_every_token_of_the_key_moves_and_no_other(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_BATCH", 2)
    users = [add(group) for group in (3, 13, 103, 993)]
    other = add(4)
    plain = add(3)
    User.objects.filter(pk=plain.pk).update(access_token=ACCESS)
    assert "AES_KEY_3: 5 users encrypted anew, 0 were already, 0 can't be read" in run()
    alone = Settings(aes_key_3=SecretStr(NEXT))
    for user in [*users, plain]:
        user.refresh_from_db()
        keys = tokens.keys_for(user.group_id, alone)
        assert (keys.read(user.access_token), keys.read(user.refresh_token)) == (ACCESS, REFRESH)
    unchanged = User.objects.get(pk=other.pk)
    assert unchanged.access_token == other.access_token
    assert "AES_KEY_3: 0 users encrypted anew, 5 were already" in run()


def test_what_cannot_be_read_is_counted_and_left(settings: Settings) -> None:
    user = add(3)
    User.objects.filter(pk=user.pk).update(access_token="nonsense")
    assert replace_keys(settings) == [Replaced(3, encrypted=0, done=0, changed=0, unreadable=1)]
    assert User.objects.get(pk=user.pk).access_token == "nonsense"


def test_a_sign_in_meanwhile_is_not_overwritten(settings: Settings) -> None:
    user = add(3)
    stale = User.objects.get(pk=user.pk)
    fresh = tokens.encrypt("n.e.w", b"3" * 32)
    User.objects.filter(pk=user.pk).update(access_token=fresh)
    assert rotation._replace(stale, tokens.keys_for(3, settings)) == "changed"
    assert User.objects.get(pk=user.pk).access_token == fresh
    assert replace_keys(settings) == [Replaced(3, encrypted=1, done=0, changed=0, unreadable=0)]


def test_without_a_next_key_there_is_nothing_to_do() -> None:
    with pytest.raises(CommandError, match="no AES_KEY_<n>_NEXT"):
        run()


def test_a_misshapen_next_key_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    user = add(3)
    monkeypatch.setenv("AES_KEY_3_NEXT", "short")
    get_settings.cache_clear()
    with pytest.raises(CommandError, match="AES_KEY_3_NEXT"):
        run()
    get_settings.cache_clear()
    assert User.objects.get(pk=user.pk).access_token == user.access_token
