"""The velog simulator answers as velog's two servers do, field by field."""

from typing import Any

import httpx2
import pytest

from livebeat import clock
from simulators import world
from support.serving import Simulator

pytest_plugins = ["support.simulators"]

HARU, MINJI = world.users()[:2]
POSTS = "query velogPosts($input: GetPostsInput!) { posts(input: $input) { id title url_slug likes released_at } }"
STATS = "query GetStats($post_id: ID!) { getStats(post_id: $post_id) { total count_by_day { count day } } }"
ME = "query currentUser { currentUser { id username email profile { thumbnail } } }"


def cookie(user: world.VelogUser = HARU, access: int = 86_400, refresh: int = 30 * 86_400) -> str:
    now = clock.now().timestamp()
    pair = [
        world.velog_token(user.id, now, kind, life)
        for kind, life in (("access_token", access), ("refresh_token", refresh))
    ]
    return f"access_token={pair[0]}; refresh_token={pair[1]}"


def ask(
    velog: Simulator, query: str, variables: dict[str, Any] | None = None, *, server: str = "v3", cookies: str = ""
) -> httpx2.Response:
    body = {"query": query, "variables": variables or {}}
    with httpx2.Client(base_url=velog.url) as http:
        return http.post(f"/{server}/graphql", json=body, headers={"cookie": cookies} if cookies else {})


def posts(velog: Simulator, cookies: str = "", user: world.VelogUser = HARU, **given: Any) -> list[dict[str, Any]]:
    answer = ask(velog, POSTS, {"input": {"username": user.username, **given}}, cookies=cookies)
    return list(answer.json()["data"]["posts"])


def test_current_user(velog: Simulator) -> None:
    answer = ask(velog, ME, cookies=cookie())
    assert answer.json() == {
        "data": {
            "currentUser": {
                "id": HARU.id,
                "username": HARU.username,
                "email": HARU.email,
                "profile": {"thumbnail": HARU.thumbnail},
            }
        }
    }
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("cookies", ["access_token=x.y.z; refresh_token=x.y.z", cookie(access=-1, refresh=-1)])
def test_tokens_that_are_not_accepted_are_cleared(velog: Simulator, cookies: str) -> None:
    answer = ask(velog, ME, cookies=cookies)
    assert (answer.status_code, answer.json()) == (200, {"data": {"currentUser": None}})
    assert {header.split(";")[0] for header in answer.headers.get_list("set-cookie")} == {
        'access_token=""',
        'refresh_token=""',
    }


@pytest.mark.parametrize(
    ("access", "refresh", "renewed", "new_refresh"),
    [
        (86_400, 30 * 86_400, False, False),
        (29 * 60, 24 * 86_400, True, False),
        (29 * 60, 22 * 86_400, True, True),
        (-1, 24 * 86_400, True, False),
        (31 * 60, 1 * 86_400, False, False),
    ],
)
def test_when_tokens_are_renewed(velog: Simulator, access: int, refresh: int, renewed: bool, new_refresh: bool) -> None:
    sent = cookie(access=access, refresh=refresh)
    answer = ask(velog, ME, cookies=sent)
    assert answer.json()["data"]["currentUser"]["id"] == HARU.id
    given = dict(header.split(";")[0].split("=", 1) for header in answer.headers.get_list("set-cookie"))
    assert set(given) == ({"access_token", "refresh_token"} if renewed else set())
    if renewed:
        assert (given["refresh_token"] not in sent) == new_refresh


def test_pages_of_posts(velog: Simulator) -> None:
    first = posts(velog, cookie(), limit=100)
    assert len(first) == 50
    assert set(first[0]) == {"id", "title", "url_slug", "likes", "released_at"}
    assert first[0]["released_at"].endswith("Z")
    assert [post["released_at"] for post in first] == sorted((post["released_at"] for post in first), reverse=True)
    second = posts(velog, cookie(), limit=50, cursor=first[-1]["id"])
    assert len(second) == 12
    assert posts(velog, cookie(), limit=50, cursor=second[-1]["id"]) == []
    assert len(posts(velog)) == 10
    assert posts(velog, limit=50, cursor="gone") == posts(velog, limit=50)


def test_a_cursor_that_vanished_starts_over_and_ties_are_skipped(velog: Simulator) -> None:
    first = posts(velog, cookie(), limit=50)
    velog.change(set={first[2]["id"]: {"released_at": first[1]["released_at"]}})
    assert posts(velog, cookie(), limit=1, cursor=first[1]["id"])[0]["id"] == first[3]["id"]
    velog.change(remove=[first[1]["id"]])
    assert posts(velog, cookie(), limit=1, cursor=first[1]["id"])[0]["id"] == first[0]["id"]


def test_private_posts_are_the_owner_s_alone_and_drafts_nobody_s(velog: Simulator) -> None:
    mine = [post for post in world.posts() if post.user_id == MINJI.id]
    everything = {post.id for post in mine if not post.is_temp}
    public = {post.id for post in mine if not post.is_temp and not post.is_private}
    assert {post["id"] for post in posts(velog, cookie(MINJI), MINJI, limit=50)} == everything
    assert {post["id"] for post in posts(velog, cookie(HARU), MINJI, limit=50)} == public


@pytest.mark.parametrize(
    ("query", "variables", "status", "name"),
    [
        (POSTS, {"input": {"username": HARU.username, "limit": 101}}, 400, "BadRequest"),
        (POSTS, {"input": {"username": "nobody"}}, 404, "NotFound"),
        ("{ posts { secret } }", {"input": {"username": HARU.username}}, 400, "BadRequest"),
        (STATS, {}, 400, "BadRequest"),
        ("not graphql", {}, 400, "BadRequest"),
    ],
)
def test_v3_errors_have_a_status_and_no_data(
    velog: Simulator, query: str, variables: dict[str, Any], status: int, name: str
) -> None:
    answer = ask(velog, query, variables)
    assert answer.status_code == status
    (error,) = answer.json()["errors"]
    assert error["extensions"]["name"] == name
    assert error["extensions"]["message"]
    assert "data" not in answer.json()
    if status == 400 and "limit" in str(variables):
        assert error["message"] == "Max limit is 100"


def test_statistics_and_their_apollo_errors(velog: Simulator) -> None:
    post = next(post for post in world.posts() if post.user_id == HARU.id)
    answer = ask(velog, STATS, {"post_id": post.id}, server="v2cdn", cookies=cookie())
    assert answer.json() == {"data": {"getStats": {"total": post.views, "count_by_day": []}}}
    for post_id, cookies, code in (
        (post.id, cookie(MINJI), "NO_PERMISSION"),
        (post.id, "", "NO_PERMISSION"),
        ("unknown", cookie(), "NOT_FOUND"),
    ):
        refused = ask(velog, STATS, {"post_id": post_id}, server="v2cdn", cookies=cookies)
        assert refused.status_code == 200
        assert refused.json()["errors"][0]["extensions"]["code"] == code


def test_faults_count_down_and_requests_are_logged(velog: Simulator) -> None:
    velog.faults({"kind": "status_503", "step": "posts", "times": 2, "after": 1})
    statuses = [ask(velog, POSTS, {"input": {"username": HARU.username}}).status_code for _ in range(4)]
    assert statuses == [200, 503, 503, 200]
    assert [entry["fault"] for entry in velog.requests("posts")] == [None, "status_503", "status_503", None]
    assert velog.requests("currentUser") == []
    assert velog.http.put("/_sim/faults", json={"kind": "no such"}).status_code == 422
    assert velog.http.put("/_sim/faults", json={"kindness": 1}).status_code == 422
    assert velog.http.put("/_sim/world", json={"set": {"no such": {}}}).status_code == 200
    assert velog.http.put("/_sim/world", json={"remove": ["no such"]}).status_code == 422


def test_a_token_never_gets_into_the_log(velog: Simulator) -> None:
    sent = cookie()
    ask(velog, ME, cookies=sent)
    logged = str(velog.requests())
    assert not any(part.partition("=")[2] in logged for part in sent.split("; "))
