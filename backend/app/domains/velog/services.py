"""Refreshing a velog user's statistics: tokens, profile, posts, today's totals.

Guarantees: each step's rows are written in short transactions of their own and may be written again by a second
attempt without harm; tokens that velog renewed are saved even if a later step fails; and a run that couldn't do its
work raises the reason. What is left to the caller: when to try again (`PlatformError.retryable`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Literal

from app.clients.http import Patience
from app.clients.velog import VelogClient, VelogTokens, VelogUser
from app.clients.velog_paging import PostList, VelogPost
from app.core.errors import (
    PlatformError,
    RateLimitedError,
    TokensRejectedError,
    UnknownUserError,
    UpstreamError,
    UpstreamRejectedError,
)
from app.core.settings import Settings, get_settings
from app.domains.velog import posts, tokens
from app.domains.velog.errors import AllStatisticsFailedError, InactiveUserError
from app.domains.velog.models import User
from livebeat import clock

logger = logging.getLogger(__name__)

#: Statistics are read so many at a time, and written before the next ones are read.
CHUNK = 8
THREADS = 4
#: So many failures in a row mean that velog is ill, not the posts.
FAILURES_IN_A_ROW = 5
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

        Returns `{"users", "posts", "statistics", "failed_posts", "deactivated", "details": [one a user]}`, all counts.

        Raises:
            UnknownUserError, InactiveUserError: no such user to refresh.
            TokensRejectedError, NotConfiguredError: the tokens are of no use, or can't be read.
            UpstreamError: velog did not answer as it should; among them AllStatisticsFailedError.
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
        user = User.objects.filter(pk=pk).first()
        if user is None:
            raise UnknownUserError(user_id=pk)
        if not user.is_active:
            raise InactiveUserError(user_id=pk)
        with VelogClient(self._tokens(user), settings=self.settings, patience=self.patience) as client:
            try:
                profile = self._owner(client, user)
                fetched = client.posts(profile.username)
            except UpstreamRejectedError as error:
                if error.facts.get("status") == _UNAUTHORIZED:
                    raise _rejected(pk, "velog refused them", "velog가 거부했습니다") from None
                raise
            finally:
                self._save_tokens(user, client.tokens)
            _save_profile(user, profile, self.now)
            posts.put_posts(user, fetched.posts)
            sync, deactivated = posts.sync_active(user, fetched, self.now)
            written, failed = self._statistics(client, fetched)
        return _summary(pk, fetched, written=written, failed=failed, sync=sync, deactivated=deactivated)

    def _tokens(self, user: User) -> VelogTokens:
        key = tokens.key_for(user.group_id, self.settings)
        try:
            return VelogTokens(tokens.read(user.access_token, key), tokens.read(user.refresh_token, key))
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
        """Save what velog renewed and encrypt what was plain, unless somebody signed in again meanwhile."""
        key = tokens.key_for(user.group_id, self.settings)
        changed = {
            column: tokens.encrypt(plain, key)
            for column, plain, stored in (
                ("access_token", current.access, user.access_token),
                ("refresh_token", current.refresh, user.refresh_token),
            )
            if tokens.is_token(stored) or tokens.decrypt(stored, key) != plain
        }
        if changed:
            unchanged_since = User.objects.filter(
                pk=user.pk, access_token=user.access_token, refresh_token=user.refresh_token
            )
            unchanged_since.update(**changed, updated_at=self.now)

    def _statistics(self, client: VelogClient, fetched: PostList) -> tuple[int, int]:
        """Read and write every post's totals; returns how many rows were written and how many posts failed."""
        date = posts.korean_midnight(self.now)
        written, in_a_row = 0, 0
        failures: list[UpstreamError] = []
        with ThreadPoolExecutor(THREADS, thread_name_prefix="velog-stats") as pool:
            for chunk in posts.batches(fetched.posts, CHUNK):
                results = list(pool.map(lambda post: _views(client, post), chunk))
                good = [(post, views) for post, views in zip(chunk, results, strict=True) if isinstance(views, int)]
                written += posts.put_statistics(good, date, self.run_id)
                failed = [result for result in results if not isinstance(result, int)]
                failures += failed
                in_a_row = _failures_at_end(results, in_a_row)
                _stop_if_hopeless(failed, in_a_row)
        if failures and not written:
            raise AllStatisticsFailedError(len(failures), failures[0])
        return written, len(failures)


def _views(client: VelogClient, post: VelogPost) -> int | UpstreamError:
    try:
        return client.stats(post.id)
    except UpstreamError as error:
        logger.warning("no statistics of velog post %s: %s", post.id, error)
        return error


def _failures_at_end(results: Sequence[int | UpstreamError], before: int) -> int:
    """How many failures in a row the results end with; a post that velog refuses is no sign of illness."""
    count = before
    for result in results:
        count = 0 if isinstance(result, int | UpstreamRejectedError) else count + 1
    return count


def _stop_if_hopeless(failed: list[UpstreamError], in_a_row: int) -> None:
    limited = next((error for error in failed if isinstance(error, RateLimitedError)), None)
    if limited is not None:
        raise limited
    if in_a_row >= FAILURES_IN_A_ROW:
        raise failed[-1]


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


def _summary(pk: int, fetched: PostList, *, written: int, failed: int, sync: str, deactivated: int) -> dict[str, Any]:
    return {
        "user_id": pk,
        "posts": len(fetched.posts),
        "complete": fetched.complete,
        "statistics": written,
        "failed_posts": failed,
        "active_sync": sync,
        "deactivated": deactivated,
    }


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
    key = tokens.key_for(user.group_id, settings or get_settings())
    user.access_token = tokens.encrypt(record["access_token"], key)
    user.refresh_token = tokens.encrypt(record["refresh_token"], key)
    user.username = record.get("username") or user.username
    user.email = record.get("email") or user.email
    user.save()
    return "updated" if known else "created"
