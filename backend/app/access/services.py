"""Keys: made, shown once, checked, revoked. Only digests are kept, and no secret is ever logged.

A key reads `lb_<prefix>_<secret>`. Any other text may be a key as well (the bootstrap key is whatever its owner chose):
its prefix is then the beginning of its own digest.
"""

import hashlib
import hmac
import logging
import re
import secrets
import string
from datetime import datetime, timedelta
from typing import Literal

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q, QuerySet

from app.access.errors import KeyExpiryError, KeyNameError, KeyNameTakenError, UnknownKeyError, WeakKeyError
from app.access.models import NAME_LENGTH, PREFIX_LENGTH, ApiKey
from app.access.scopes import Principal, Scope
from livebeat import clock

logger = logging.getLogger(__name__)

BOOTSTRAP_SETTING = "LIVEBEAT_BOOTSTRAP_KEY"
BOOTSTRAP_NAME = "bootstrap"
BOOTSTRAP_LENGTH = 32
_SECRET_BYTES = 32
_FORM = re.compile(rf"lb_([a-z0-9]{{{PREFIX_LENGTH}}})_([A-Za-z0-9_-]{{43}})")
#: A row that isn't there is compared with this, so that known and unknown prefixes take the same path.
_NOBODY = "0" * 64
#: A key in constant use is not written at each request.
_USE_NOTED_EVERY = timedelta(minutes=1)


def issue(name: str, scope: Scope, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """A new key and its text, which can't be had again.

    Raises:
        KeyNameError, KeyNameTakenError, KeyExpiryError: it can't be made as asked.
    """
    now = clock.now()
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now):
        raise KeyExpiryError
    alphabet = string.ascii_lowercase + string.digits
    prefix = "".join(secrets.choice(alphabet) for _ in range(PREFIX_LENGTH))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    row = ApiKey(
        prefix=prefix,
        digest=_digest(secret),
        name=_usable_name(name),
        scope=scope,
        created_at=now,
        expires_at=expires_at,
    )
    _insert(row)
    return row, f"lb_{prefix}_{secret}"


def authenticate(text: str) -> Principal | None:
    """Whose key this is; None for what is no key, or is expired or revoked."""
    prefix, secret = _parts(text)
    row = ApiKey.objects.filter(prefix=prefix).first()
    fits = hmac.compare_digest(_digest(secret), row.digest if row else _NOBODY)
    if row is None or not fits:
        return None
    now = clock.now()
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        logger.warning("the key %s is %s", row, "revoked" if row.revoked_at else "expired")
        return None
    _note_use(row, now)
    return Principal(row.name, Scope(row.scope), "key")


def revoke(name_or_prefix: str) -> ApiKey:
    """End a key at once, for ever.

    Raises:
        UnknownKeyError: no key in use is meant.
    """
    in_use = ApiKey.objects.filter(revoked_at__isnull=True)
    row = in_use.filter(prefix=name_or_prefix).first() or in_use.filter(name=name_or_prefix).first()
    if row is None:
        raise UnknownKeyError(name=name_or_prefix)
    row.revoked_at = clock.now()
    row.save(update_fields=["revoked_at"])
    return row


def keys_exist() -> bool:
    """Whether a key was ever made. Revoking the last one doesn't open the doors again."""
    return ApiKey.objects.exists()


def all_keys() -> QuerySet[ApiKey]:
    """Every key, newest first."""
    return ApiKey.objects.order_by("-created_at", "-id")


def ensure_bootstrap_key(text: str) -> Literal["made", "known", "ignored"]:
    """Make the first key, an admin's, of this text. Idempotent, also between processes.

    `known`: it was made before, and is as it was left (revoked, perhaps). `ignored`: there are other keys already.

    Raises:
        WeakKeyError: the text would protect nothing.
    """
    check_bootstrap_key(text)
    prefix, secret = _parts(text)
    if not ApiKey.objects.exists():
        row = ApiKey(
            prefix=prefix, digest=_digest(secret), name=BOOTSTRAP_NAME, scope=Scope.ADMIN, created_at=clock.now()
        )
        try:
            _insert(row)
        except KeyNameTakenError:
            logger.debug("another process made the bootstrap key")
        else:
            return "made"
    return "known" if ApiKey.objects.filter(prefix=prefix).exists() else "ignored"


def check_bootstrap_key(text: str) -> None:
    """Refuse a text that is no key.

    Raises:
        WeakKeyError: it is short, or can't be sent in a header.
    """
    if len(text) < BOOTSTRAP_LENGTH or not all("!" <= character <= "~" for character in text):
        raise WeakKeyError(setting=BOOTSTRAP_SETTING, least=BOOTSTRAP_LENGTH)


def _insert(row: ApiKey) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise KeyNameTakenError(name=row.name) from None


def _usable_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise KeyNameError(most=NAME_LENGTH)
    return name


def _parts(text: str) -> tuple[str, str]:
    match = _FORM.fullmatch(text)
    return (match[1], match[2]) if match else (_digest(text)[:PREFIX_LENGTH], text)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _note_use(row: ApiKey, now: datetime) -> None:
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _USE_NOTED_EVERY)
    if row.last_used_at is not None and row.last_used_at >= now - _USE_NOTED_EVERY:
        return
    try:
        ApiKey.objects.filter(stale, pk=row.pk).update(last_used_at=now)
    except DatabaseError as error:  # a busy database must not keep anybody out
        logger.info("the use of key %s was not noted: %s", row, error)
