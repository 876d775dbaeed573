"""The velog client over real HTTP: what it reads, and what each way of failing is called."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.clients.http import USER_AGENT, Patience
from app.clients.velog import VelogClient, VelogTokens
from app.core.errors import (
    RateLimitedError,
    ShapeChangedError,
    UpstreamError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings
from livebeat import clock
from simulators import world
from support.serving import Simulator

pytest_plugins = ["support.simulators"]

HARU, MINJI = world.users()[:2]


def tokens_of(user: world.VelogUser = HARU, **lives: int) -> VelogTokens:
    now = clock.now().timestamp()
    return VelogTokens(
        world.velog_token(user.id, now, "access_token", lives.get("access")),
        world.velog_token(user.id, now, "refresh_token", lives.get("refresh")),
    )


def first_post(user: world.VelogUser = HARU) -> UUID:
    return UUID(next(post.id for post in world.posts() if post.user_id == user.id))


@pytest.fixture
def client(platform: Settings, impatient: Patience) -> Iterator[VelogClient]:
    with VelogClient(tokens_of(), settings=platform, patience=impatient) as client:
        yield client


def ask(client: VelogClient, step: str) -> Any:
    asked = {
        "currentUser": client.current_user,
        "posts": lambda: list(client.posts(HARU.username)),
        "getStats": lambda: client.stats(first_post()),
    }
    return asked[step]()


def test_it_reads_the_owner_all_posts_and_views(client: VelogClient) -> None:
    owner = client.current_user()
    assert owner is not None
    assert (str(owner.id), owner.username, owner.email) == (HARU.id, HARU.username, HARU.email)
    listed = client.posts(HARU.username)
    found = {str(post.id) for page in listed for post in page}
    mine = {post.id for post in world.posts() if post.user_id == HARU.id and not post.is_temp}
    assert found == mine  # more than a page, the private one too
    assert listed.complete
    assert client.stats(first_post()) == next(post.views for post in world.posts() if post.id == str(first_post()))


def test_it_says_who_it_is_and_keeps_no_cookies(client: VelogClient, velog: Simulator) -> None:
    velog.fault("unrelated_cookie", "currentUser")
    before = client.tokens
    client.current_user()
    client.current_user()
    assert {entry["user_agent"] for entry in velog.requests()} == {USER_AGENT}
    assert client.tokens == before


@pytest.mark.parametrize("step", ["currentUser", "posts", "getStats"])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("status_500", UpstreamUnavailableError),
        ("status_503", UpstreamUnavailableError),
        ("timeout", UpstreamUnavailableError),
        ("cut", UpstreamUnavailableError),
        ("html", UpstreamUnavailableError),
        ("bad_json", UpstreamUnavailableError),
        ("rate_limit", RateLimitedError),
        ("redirect_404", UpstreamRejectedError),
        ("shape", ShapeChangedError),
    ],
)
def test_every_failure_has_its_name(
    client: VelogClient, velog: Simulator, step: str, kind: str, error: type[UpstreamError]
) -> None:
    velog.fault(kind, step, times=None, delay=1.2)
    with pytest.raises(UpstreamError) as caught:
        ask(client, step)
    assert type(caught.value) is error
    assert step in str(caught.value)
    velog.faults()
    assert ask(client, step) is not None  # a second run heals


@pytest.mark.parametrize("step", ["currentUser", "posts", "getStats"])
def test_one_bad_answer_is_asked_again(client: VelogClient, velog: Simulator, step: str) -> None:
    velog.fault("status_503", step)
    assert ask(client, step) is not None


def test_a_refusal_is_not_asked_again(client: VelogClient, velog: Simulator) -> None:
    velog.fault("not_found", "getStats", times=None)
    with pytest.raises(UpstreamRejectedError) as caught:
        ask(client, "getStats")
    assert caught.value.facts["code"] == "NOT_FOUND"
    assert len(velog.requests("getStats")) == 1


def test_a_short_retry_after_is_waited_out(client: VelogClient, velog: Simulator) -> None:
    velog.fault("rate_limit", "getStats", retry_after=0.2)
    ask(client, "getStats")
    first, second = velog.requests("getStats")
    assert second["at"] - first["at"] >= 0.19


def test_a_long_retry_after_stops_every_client(
    client: VelogClient, velog: Simulator, platform: Settings, impatient: Patience
) -> None:
    velog.fault("rate_limit", "getStats", retry_after=40)
    with pytest.raises(RateLimitedError) as caught:
        ask(client, "getStats")
    assert caught.value.retry_after == 40
    assert "40초" in caught.value.text("ko")
    with (
        VelogClient(tokens_of(MINJI), settings=platform, patience=impatient) as other,
        pytest.raises(RateLimitedError) as held,
    ):
        other.current_user()
    assert held.value.retry_after is not None
    assert 30 < held.value.retry_after <= 40
    assert len(velog.requests()) == 1


def test_a_refusal_that_names_no_time_gives_velog_a_rest_from_every_client(
    platform: Settings, impatient: Patience, velog: Simulator
) -> None:
    velog.fault("rate_limit", "getStats")
    resting = replace(impatient, rest=0.4)
    with (
        VelogClient(tokens_of(), settings=platform, patience=resting) as client,
        pytest.raises(RateLimitedError) as caught,
    ):
        ask(client, "getStats")
    assert caught.value.retry_after is None
    with VelogClient(tokens_of(MINJI), settings=platform, patience=impatient) as other:
        other.current_user()
    refused, following = velog.requests()
    assert following["at"] - refused["at"] >= 0.39


def test_nobody_is_none(platform: Settings, impatient: Patience, velog: Simulator) -> None:
    expired = tokens_of(access=-10, refresh=-10)
    with VelogClient(expired, settings=platform, patience=impatient) as client:
        assert client.current_user() is None
        assert client.tokens == expired  # the emptied cookies are no tokens


def test_renewed_tokens_are_taken_over_as_a_pair(platform: Settings, impatient: Patience, velog: Simulator) -> None:
    old = tokens_of(access=600, refresh=20 * 86_400)
    with VelogClient(old, settings=platform, patience=impatient) as client:
        velog.fault("one_cookie", "currentUser")
        client.current_user()
        assert client.tokens == old
        client.current_user()
        assert client.tokens.access != old.access
        assert client.tokens.refresh != old.refresh
        assert client.stats(first_post()) > 0


def test_other_peoples_statistics_are_refused(client: VelogClient) -> None:
    with pytest.raises(UpstreamRejectedError) as caught:
        client.stats(first_post(MINJI))
    assert caught.value.facts["code"] == "NO_PERMISSION"


def test_a_list_that_breaks_off_is_no_list(client: VelogClient, velog: Simulator) -> None:
    velog.fault("status_500", "posts", times=None, after=1)
    with pytest.raises(UpstreamUnavailableError):
        list(client.posts(HARU.username))


def test_a_cursor_without_effect_is_noticed(client: VelogClient, velog: Simulator) -> None:
    velog.fault("loop", "posts", times=None)
    with pytest.raises(ShapeChangedError):
        list(client.posts(HARU.username))


def test_posts_of_one_instant_are_not_lost_at_a_page_s_end(client: VelogClient, velog: Simulator) -> None:
    mine = sorted(
        (post for post in world.posts() if post.user_id == HARU.id and not post.is_temp),
        key=lambda post: post.released_at or world.ANCHOR,
        reverse=True,
    )
    instant = mine[49].released_at
    assert instant is not None
    velog.change(set={post.id: {"released_at": instant.isoformat()} for post in mine[47:54]})
    assert sum(map(len, client.posts(HARU.username))) == len(mine)


def test_no_token_in_errors_or_representations(client: VelogClient, velog: Simulator) -> None:
    velog.fault("timeout", times=None, delay=1.2)
    with pytest.raises(UpstreamUnavailableError) as caught:
        client.current_user()
    secret = client.tokens.access
    frame = caught.tb.tb_next  # from the client's first frame on
    shown = [repr(caught.value), repr(client.tokens), repr(client)]
    while frame is not None:
        shown += [repr(value) for value in frame.tb_frame.f_locals.values()]
        frame = frame.tb_next
    assert len(shown) > 10
    assert not any(secret in text for text in shown)
    assert caught.value.__context__ is None
