"""Fixtures: the ministry's simulator, and settings that name it. `pytest_plugins = ["support.ministry"]`."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from app.core.settings import Settings
from simulators import real_trades
from support.serving import Simulator, serving


@pytest.fixture(scope="session")
def _ministry_server() -> Iterator[Simulator]:
    with serving(real_trades.create_app()) as simulator:
        yield simulator


@pytest.fixture
def ministry(_ministry_server: Simulator) -> Simulator:
    """The ministry's simulator, without trades."""
    _ministry_server.reset()
    return _ministry_server


@pytest.fixture
def keyed(ministry: Simulator, redis_url: str) -> Settings:
    """Settings with the key that the simulator knows."""
    return Settings(
        redis_url=SecretStr(redis_url),
        molit_url=f"{ministry.url}/1613000/RTMSDataSvcAptTradeDev",
        molit_api_key=SecretStr(real_trades.KEY),
    )
