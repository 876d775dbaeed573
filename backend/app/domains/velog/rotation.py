"""Replacing the keys of stored tokens: what an old key encrypted is encrypted by the next one, a few users at a time."""

import logging
from collections import Counter
from dataclasses import dataclass

from app.core.settings import Settings
from app.domains.velog import tokens
from app.domains.velog.models import User
from livebeat import clock

logger = logging.getLogger(__name__)

_BATCH = 500


@dataclass(frozen=True)
class Replaced:
    """How many users of `AES_KEY_<index>` were encrypted anew, had the next key already, were changed by somebody else
    at that moment, and can't be read with either key."""

    index: int
    encrypted: int
    done: int
    changed: int
    unreadable: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing needs the old key any more."""
        return not self.changed


def replace_keys(settings: Settings) -> list[Replaced]:
    """Encrypt by its next key every token of each group that has one; may be stopped and repeated at any time.

    Raises:
        NotConfiguredError: a key is missing or isn't 32 bytes long.
    """
    indexes = [index for index in range(10) if settings.aes_key_next(index) is not None]
    keys = {index: tokens.keys_for(index, settings) for index in indexes}
    counts = {index: Counter[str]() for index in indexes}
    last = 0
    while batch := list(User.objects.filter(pk__gt=last).order_by("pk")[:_BATCH]):
        for user in batch:
            index = tokens.key_index(user.group_id)
            if index in keys:
                counts[index][_replace(user, keys[index])] += 1
        last = batch[-1].pk
    return [
        Replaced(index, **{name: counts[index][name] for name in ("encrypted", "done", "changed", "unreadable")})
        for index in indexes
    ]


def _replace(user: User, keys: tokens.Keys) -> str:
    try:
        access, refresh = keys.read(user.access_token), keys.read(user.refresh_token)
    except tokens.UnreadableTokenError:
        logger.warning("the tokens of user %s can't be decrypted; they have to sign in again", user.pk)
        return "unreadable"
    if keys.holds(user.access_token, access) and keys.holds(user.refresh_token, refresh):
        return "done"
    unchanged = User.objects.filter(pk=user.pk, access_token=user.access_token, refresh_token=user.refresh_token)
    new = {"access_token": keys.encrypt(access), "refresh_token": keys.encrypt(refresh), "updated_at": clock.now()}
    return "encrypted" if unchanged.update(**new) else "changed"
