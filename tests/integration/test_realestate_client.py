"""The real-estate site's client over real HTTP: what it reads, and what each way of failing is called."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.clients.http import USER_AGENT, Patience
from app.clients.naver_land import NaverLandClient
from app.core.errors import (
    AccessRefusedError,
    NotConfiguredError,
    RateLimitedError,
    ShapeChangedError,
    TokenExpiredError,
    UpstreamError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings
from livebeat import clock
from simulators import world
from support.serving import Simulator

pytest_plugins = ["support.simulators"]

NUMBER = "109208"


@pytest.fixture
def client(platform: Settings, impatient: Patience) -> Iterator[NaverLandClient]:
    with NaverLandClient(settings=platform, patience=impatient) as client:
        yield client


def ask(client: NaverLandClient, step: str) -> Any:
    return client.overview(NUMBER) if step == "overview" else client.articles(NUMBER)


def test_it_reads_a_complex_and_all_its_pages(client: NaverLandClient, land: Simulator) -> None:
    overview = client.overview(NUMBER)
    assert (overview.complex_name, overview.total_house_hold_count) == ("시범반도유보라아이비파크4.0", 740)
    listing = client.articles(NUMBER)
    expected = {item["articleNo"]: item for item in world.listings().values() if item["complexNo"] == NUMBER}
    assert {article.article_no for article in listing.articles} == set(expected)
    assert listing.steady
    assert [entry["page"] for entry in land.requests("articles")] == ["1", "2", "3"]
    assert {entry["user_agent"] for entry in land.requests()} == {USER_AGENT}
    for article in listing.articles:
        assert article.deal_or_warrant_prc == expected[article.article_no]["dealOrWarrantPrc"]


@pytest.mark.parametrize("step", ["overview", "articles"])
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
        ("redirect_404", AccessRefusedError),
        ("expired_token", TokenExpiredError),
        ("shape", ShapeChangedError),
    ],
)
def test_every_failure_has_its_name(
    client: NaverLandClient, land: Simulator, step: str, kind: str, error: type[UpstreamError]
) -> None:
    land.fault(kind, step, times=None, delay=1.2)
    with pytest.raises(UpstreamError) as caught:
        ask(client, step)
    assert type(caught.value) is error
    assert step in str(caught.value)
    land.faults()
    assert ask(client, step) is not None  # a second run heals


def test_a_refusal_that_names_no_time_gives_the_site_a_rest_from_every_client(
    platform: Settings, impatient: Patience, land: Simulator
) -> None:
    land.fault("rate_limit")
    for rest in (replace(impatient, rest=60), impatient):
        with NaverLandClient(settings=platform, patience=rest) as client, pytest.raises(RateLimitedError):
            client.overview(NUMBER)
    assert len(land.requests()) == 1


def test_complexes_are_begun_one_after_another_by_whoever_does_it(platform: Settings, impatient: Patience) -> None:
    apart = platform.model_copy(update={"naver_land_seconds_between_complexes": 0.4})
    began = clock.monotonic()
    for _ in range(3):  # as three workers would
        with NaverLandClient(settings=apart, patience=impatient) as client:
            client.next_complex()
    assert clock.monotonic() - began >= 0.75


def test_a_late_answer_within_patience_is_taken(client: NaverLandClient, land: Simulator) -> None:
    land.fault("slow", "overview", delay=0.05)
    assert client.overview(NUMBER).complex_no == NUMBER


def test_a_page_that_fails_fails_the_list(client: NaverLandClient, land: Simulator) -> None:
    land.fault("html", "articles", times=None, after=2)
    with pytest.raises(UpstreamUnavailableError):
        client.articles(NUMBER)


def test_a_list_without_end_is_noticed(client: NaverLandClient, land: Simulator) -> None:
    land.fault("loop", "articles", times=None)
    with pytest.raises(ShapeChangedError, match="no end"):
        client.articles(NUMBER)
    assert len(land.requests("articles")) == 2


def test_a_list_that_moves_while_it_is_read_is_not_steady(client: NaverLandClient, land: Simulator) -> None:
    land.fault("moved", "articles", after=1)
    listing = client.articles(NUMBER)
    assert not listing.steady
    assert len(listing.articles) == 43


def test_an_unknown_complex_and_an_impossible_number_are_refusals(client: NaverLandClient, land: Simulator) -> None:
    with pytest.raises(UpstreamRejectedError, match="no such complex"):
        client.overview("1")
    seen = len(land.requests())
    with pytest.raises(UpstreamRejectedError, match="digits"):
        client.overview("../../secrets")
    assert len(land.requests()) == seen


@pytest.mark.parametrize("content", [None, "", "two words", "토큰"])
def test_without_a_usable_token_nothing_is_asked(
    platform: Settings, land: Simulator, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "other-token"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(NotConfiguredError, match="NAVER_LAND_TOKEN_FILE"):
        NaverLandClient(settings=platform.model_copy(update={"naver_land_token_file": file}))
    with pytest.raises(NotConfiguredError):
        NaverLandClient(settings=platform.model_copy(update={"naver_land_token_file": None}))
    assert land.requests() == []


def test_an_expired_token_says_what_to_do(platform: Settings, impatient: Patience, land: Simulator) -> None:
    assert platform.naver_land_token_file is not None
    platform.naver_land_token_file.write_text(world.land_token(clock.now().timestamp() - 11_000), encoding="ascii")
    with (
        NaverLandClient(settings=platform, patience=impatient) as client,
        pytest.raises(TokenExpiredError, match="NAVER_LAND_TOKEN_FILE") as caught,
    ):
        client.overview(NUMBER)
    assert "토큰" in caught.value.text("ko")
    assert len(land.requests()) == 1
