"""Fixtures: the simulators over real HTTP in this process, one server each for the whole run, reset before each test.

A test module that wants them says `pytest_plugins = ["support.simulators"]`: `velog` and `land` (simulators),
`platform` (settings that point at both and at the private Redis), `impatient` (a client's patience that suits tests).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.clients.http import Patience
from app.core.settings import Settings
from livebeat import clock
from simulators import naver_land, world
from simulators import velog as velog_simulator
from support.serving import Simulator, serving


@pytest.fixture(scope="session")
def _velog_server() -> Iterator[Simulator]:
    with serving(velog_simulator.create_app()) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def _land_server() -> Iterator[Simulator]:
    with serving(naver_land.create_app()) as simulator:
        yield simulator


@pytest.fixture
def velog(_velog_server: Simulator) -> Simulator:
    """The velog simulator."""
    _velog_server.reset()
    return _velog_server


@pytest.fixture
def land(_land_server: Simulator) -> Simulator:
    """The Naver Land simulator."""
    _land_server.reset()
    return _land_server


@pytest.fixture
def impatient() -> Patience:
    """Short time-outs (but a busy machine's late answer is none) and rests, two attempts, hardly any back-off."""
    return Patience(connect=2.0, read=1.0, total=4.0, hold=0.5, rest=0.05, attempts=2, backoff=0.001)


@pytest.fixture
def platform(velog: Simulator, land: Simulator, redis_url: str, tmp_path: Path) -> Settings:
    """Settings that name the simulators, with a land token that is good and limits that don't bite."""
    token_file = tmp_path / "land-token"
    token_file.write_text(world.land_token(clock.now().timestamp()), encoding="ascii")
    return Settings(
        redis_url=SecretStr(redis_url),
        velog_graphql_url=f"{velog.url}/v3/graphql",
        velog_stats_url=f"{velog.url}/v2cdn/graphql",
        velog_requests_per_second=1000,
        naver_land_url=land.url,
        naver_land_token_file=token_file,
        naver_land_requests_per_second=1000,
        naver_land_seconds_between_complexes=0,
    )
