"""The hand-rolled consumer, restated: one message at a time, as its document and its first released form describe it.

`python -m bench.serial_consumer POSTS_PAUSE STATS_PAUSE`: the seconds that it sleeps after each batch of posts and after
each chunk of statistics (0.2 and 0.5 then). BRPOP, LPUSH to `:processing`, work, LREM; all posts page by page until an
empty one, upserts by look-up, statistics in chunks of 20 at once. In one thing kinder to it than it was: connections
are kept, where it opened one for each post.
"""

import asyncio
import json
import os
import sys
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import django
import httpx2
import redis

django.setup()

from app.core.settings import get_settings  # noqa: E402  Django's apps come first
from app.domains.velog import tokens  # noqa: E402
from app.domains.velog.models import Post, PostDailyStatistics, User  # noqa: E402

QUEUE = "vd2:queue:stats-refresh"
PROCESSING = f"{QUEUE}:processing"
POSTS_IN_A_BATCH, POSTS_IN_A_CHUNK = 200, 20
_ME = "query currentUser { currentUser { id username email profile { thumbnail } } }"
_POSTS = "query velogPosts($input: GetPostsInput!) { posts(input: $input) { id title url_slug likes released_at } }"
_STATS = "query GetStats($post_id: ID!) { getStats(post_id: $post_id) { total } }"


class Scraper:
    """One user's refresh."""

    def __init__(self, http: httpx2.AsyncClient, user: User, posts_pause: float, stats_pause: float) -> None:
        keys = tokens.keys_for(user.group_id, get_settings())
        self.cookie = f"access_token={keys.read(user.access_token)}; refresh_token={keys.read(user.refresh_token)}"
        self.http, self.user = http, user
        self.posts_pause, self.stats_pause = posts_pause, stats_pause
        self.today = datetime.now(ZoneInfo("Asia/Seoul")).replace(hour=0, minute=0, second=0, microsecond=0)

    async def run(self) -> None:
        """Everything, step by step."""
        settings = get_settings()
        me = await self._ask(settings.velog_graphql_url, _ME, {})
        listed = await self._list(settings.velog_graphql_url, me["currentUser"]["username"])
        for start in range(0, len(listed), POSTS_IN_A_BATCH):
            await self._put_posts(listed[start : start + POSTS_IN_A_BATCH])
            await asyncio.sleep(self.posts_pause)
        await self._sync({post["id"] for post in listed})
        for start in range(0, len(listed), POSTS_IN_A_CHUNK):
            chunk = listed[start : start + POSTS_IN_A_CHUNK]
            asked = [self._ask(settings.velog_stats_url, _STATS, {"post_id": post["id"]}) for post in chunk]
            found = await asyncio.gather(*asked)
            await asyncio.gather(
                *(self._put(post, each["getStats"]["total"]) for post, each in zip(chunk, found, strict=True))
            )
            await asyncio.sleep(self.stats_pause)

    async def _ask(self, url: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answer = await self.http.post(url, json=body, headers={"cookie": self.cookie})
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def _list(self, url: str, username: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = []
        cursor = ""
        while True:
            given = {"cursor": cursor, "username": username, "limit": 50, "tag": ""}
            page = (await self._ask(url, _POSTS, {"input": given}))["posts"]
            if not page:
                return listed
            listed += page
            cursor = page[-1]["id"]

    async def _put_posts(self, batch: list[dict[str, Any]]) -> None:
        known = {
            str(post.post_uuid): post async for post in Post.objects.filter(post_uuid__in=[p["id"] for p in batch])
        }
        for each in batch:
            if post := known.get(each["id"]):
                post.title, post.slug, post.released_at = each["title"], each["url_slug"], each["released_at"]
        await Post.objects.abulk_update(list(known.values()), ["title", "slug", "released_at"])
        new = [
            Post(post_uuid=p["id"], user=self.user, title=p["title"], slug=p["url_slug"], released_at=p["released_at"])
            for p in batch
            if p["id"] not in known
        ]
        await Post.objects.abulk_create(new)

    async def _sync(self, listed: set[str]) -> None:
        mine = Post.objects.filter(user=self.user)
        active = {str(uuid) async for uuid in mine.filter(is_active=True).values_list("post_uuid", flat=True)}
        if listed and len(active - listed) * 2 <= len(active):
            await mine.filter(post_uuid__in=active - listed).aupdate(is_active=False)
            await mine.filter(post_uuid__in=listed).aupdate(is_active=True)

    async def _put(self, post: dict[str, Any], views: int) -> None:
        stored = await Post.objects.aget(post_uuid=post["id"])
        counts = {"daily_view_count": views, "daily_like_count": post["likes"]}
        await PostDailyStatistics.objects.aupdate_or_create(post=stored, date=self.today, defaults=counts)


async def _refresh(user_id: int, pauses: tuple[float, float]) -> None:
    async with httpx2.AsyncClient(verify=False) as http:
        await Scraper(http, await User.objects.aget(pk=user_id), *pauses).run()


def main() -> None:
    """Until it is killed."""
    pauses = float(sys.argv[1]), float(sys.argv[2])
    client = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    while True:
        taken = client.brpop([QUEUE], timeout=5)
        if taken is None:
            continue
        message = str(taken[1])
        client.lpush(PROCESSING, message)
        asyncio.run(_refresh(int(json.loads(message)["userId"]), pauses))
        client.lrem(PROCESSING, 1, message)


if __name__ == "__main__":
    main()
