"""Refreshing a velog user's statistics: tokens, profile, posts, today's totals.

Guarantees: each step's rows are written in short transactions of their own and may be written again by a second
attempt without harm; tokens that velog renewed are saved even if a later step fails; and a run that couldn't do its
work raises the reason. What is left to the caller: when to try again (`PlatformError.retryable`).
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from app.clients.http import Patience
from app.clients.velog import VelogClient, VelogTokens, VelogUser
from app.core.errors import (
    PlatformError,
    ServerUnavailableError,
    TokensRejectedError,
    UnknownUserError,
    UpstreamRejectedError,
)
from app.core.settings import Settings, get_settings
from app.domains.velog import posts, tokens
from app.domains.velog.errors import EmptyListError, InactiveUserError
from app.domains.velog.models import Post, User
from app.domains.velog.statistics import refresh_statistics
from livebeat import clock, progress

logger = logging.getLogger(__name__)

#: v3's status for tokens that aren't accepted where it does say so.
_UNAUTHORIZED = 401


class ScraperTargetUser:
    """One run over some users, by primary key. `run_id` is written beside every statistics row."""

    def __init__(
        self,
        user_pks: Iterable[int],
        run_id: str | None = None,
        *,
        settings: Settings | None = None,
        patience: Patience | None = None,
        now: datetime | None = None,
    ) -> None:
        self.user_pks = list(user_pks)
        self.run_id = run_id
        self.settings = settings or get_settings()
        self.patience = patience
        self.now = now or clock.now()

    def run(self) -> dict[str, Any]:
        """Refresh every user; a user's failure doesn't keep the others from their turn.

        Returns `{"users", "posts", "statistics", "failed_posts", "deactivated", "details": [one a user]}`, all counts;
        a user's `failures` say how many of the posts failed for which reason.

        Raises:
            UnknownUserError, InactiveUserError: no such user to refresh.
            TokensRejectedError, NotConfiguredError: the tokens are of no use, or can't be read.
            UpstreamError: velog did not answer as it should; among them EmptyListError, AllStatisticsFailedError.
            ServerUnavailableError: the database or Redis does not answer.
            ValueError: no user was named.
        """
        if not self.user_pks:
            raise ValueError("no user to refresh")
        details: list[dict[str, Any]] = []
        failures: list[PlatformError] = []
        for pk in self.user_pks:
            try:
                details.append(self._refresh(pk))
            except PlatformError as error:
                logger.warning("refreshing velog user %s failed: %s", pk, error)
                failures.append(error)
        if failures:
            for other in failures[1:]:
                failures[0].add_note(str(other))
            raise failures[0]
        counts = ("posts", "statistics", "failed_posts", "deactivated")
        totals = {name: sum(detail[name] for detail in details) for name in counts}
        return {"users": len(details), **totals, "details": details}

    def _refresh(self, pk: int) -> dict[str, Any]:
        try:
            user = User.objects.filter(pk=pk).first()
            if user is None:
                raise UnknownUserError(user_id=pk)
            if not user.is_active:
                raise InactiveUserError(user_id=pk)
            with VelogClient(self._tokens(user), settings=self.settings, patience=self.patience) as client:
                return self._refresh_with(client, user)
        except (OperationalError, InterfaceError) as error:
            raise ServerUnavailableError(server=connection.display_name, reason=str(error).strip()) from error

    def _refresh_with(self, client: VelogClient, user: User) -> dict[str, Any]:
        likes, complete = self._account(client, user)
        sync, deactivated = posts.sync_active(user, likes.keys(), self.now, complete=complete)
        date = posts.korean_midnight(self.now)
        reading = refresh_statistics(client, user, likes, date=date, run_id=self.run_id)
        return {
            "user_id": user.pk,
            "posts": len(likes),
            "complete": complete,
            "statistics": reading.written,
            "failed_posts": len(reading.failures),
            "failures": reading.codes,
            "active_sync": sync,
            "deactivated": deactivated,
        }

    def _account(self, client: VelogClient, user: User) -> tuple[dict[UUID, int], bool]:
        """Profile and posts, written; returns each post's likes, and whether velog could list all of them."""
        try:
            profile = self._owner(client, user)
            self._save_tokens(user, client.tokens)
            _save_profile(user, profile, self.now)
            return self._posts(client, user, profile.username)
        except UpstreamRejectedError as error:
            if error.facts.get("status") == _UNAUTHORIZED:
                raise _rejected(user.pk, "velog refused them", "velog가 거부했습니다") from None
            raise
        finally:
            self._save_tokens(user, client.tokens)

    def _posts(self, client: VelogClient, user: User, username: str) -> tuple[dict[UUID, int], bool]:
        likes: dict[UUID, int] = {}
        walk = client.posts(username)
        for page in walk:
            posts.put_posts(user, page)
            likes.update((post.id, post.likes) for post in page)
            progress(len(likes), note="posts")
        known = 0 if likes else Post.objects.filter(user=user, is_active=True).count()
        if known:
            raise EmptyListError(known)
        return likes, walk.complete

    def _tokens(self, user: User) -> VelogTokens:
        keys = tokens.keys_for(user.group_id, self.settings)
        try:
            return VelogTokens(keys.read(user.access_token), keys.read(user.refresh_token))
        except tokens.UnreadableTokenError as error:
            raise _rejected(user.pk, f"they can't be decrypted: {error}", "복호화할 수 없습니다") from None

    def _owner(self, client: VelogClient, user: User) -> VelogUser:
        profile = client.current_user()
        if profile is None:
            raise _rejected(user.pk, "velog does not accept them", "velog가 받아들이지 않습니다")
        if profile.id != user.velog_uuid:
            raise _rejected(user.pk, "they belong to another velog user", "다른 velog 사용자의 토큰입니다")
        return profile

    def _save_tokens(self, user: User, current: VelogTokens) -> None:
        """Save what velog renewed, encrypt what was plain or has an old key, unless somebody signed in meanwhile."""
        keys = tokens.keys_for(user.group_id, self.settings)
        changed = {
            column: keys.encrypt(plain)
            for column, plain in (("access_token", current.access), ("refresh_token", current.refresh))
            if not keys.holds(getattr(user, column), plain)
        }
        if not changed:
            return
        stored = User.objects.filter(pk=user.pk, access_token=user.access_token, refresh_token=user.refresh_token)
        if stored.update(**changed, updated_at=self.now):
            for column, text in changed.items():
                setattr(user, column, text)


def _rejected(pk: int, reason: str, reason_ko: str) -> TokensRejectedError:
    return TokensRejectedError(user_id=pk, reason=reason, reason_ko=reason_ko)


def _save_profile(user: User, profile: VelogUser, now: datetime) -> None:
    """Take over what velog tells and the columns can hold; what it leaves empty stays."""
    thumbnail = profile.profile.thumbnail if profile.profile else None
    told = {"email": profile.email, "username": profile.username, "thumbnail": thumbnail}
    lengths = {"email": 254, "username": 255, "thumbnail": 255}
    changed = {
        name: value
        for name, value in told.items()
        if value and value != getattr(user, name) and len(value) <= lengths[name]
    }
    if changed:
        User.objects.filter(pk=user.pk).update(**changed, updated_at=now)


def put_user(
    record: Mapping[str, Any], *, update: bool = False, settings: Settings | None = None
) -> Literal["created", "updated", "kept"]:
    """Insert a user with encrypted tokens; one that is known keeps tokens and all, unless `update`.

    `record` has velog_uuid, access_token, refresh_token and may have username, email, group_id.

    Raises:
        ValueError: a token isn't one, or a field is missing.
        NotConfiguredError: the group's key isn't set.
    """
    missing = [name for name in ("velog_uuid", "access_token", "refresh_token") if not record.get(name)]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    if not (tokens.is_token(record["access_token"]) and tokens.is_token(record["refresh_token"])):
        raise ValueError("access_token and refresh_token must be JSON web tokens")
    known = User.objects.filter(velog_uuid=record["velog_uuid"]).first()
    if known is not None and not update:
        return "kept"
    user = known or User(velog_uuid=record["velog_uuid"])
    if record.get("group_id") is not None:
        user.group_id = int(record["group_id"])
    keys = tokens.keys_for(user.group_id, settings or get_settings())
    user.access_token = keys.encrypt(record["access_token"])
    user.refresh_token = keys.encrypt(record["refresh_token"])
    user.username = record.get("username") or user.username
    user.email = record.get("email") or user.email
    user.save()
    return "updated" if known else "created"
