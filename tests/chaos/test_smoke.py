"""The promise under kills, stops and cuts, in little: what CI runs. `./run_chaos.sh --tier gate` is the large form.

Bars are on counts; how late anything was is measured, and judged only where the machine is quiet.
"""

from pathlib import Path

import pytest

from chaos.__main__ import tiers
from chaos.stage import server
from launcher.servers.binaries import ServerBinary

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def binary() -> ServerBinary:
    return server("valkey")


@pytest.mark.parametrize("scenario", tiers(0)["smoke"])
def test_every_bar_holds(scenario: str, binary: ServerBinary, tmp_path: Path) -> None:
    report = tiers(seed=1)["smoke"][scenario](tmp_path, binary)
    assert report.held, report.text()
