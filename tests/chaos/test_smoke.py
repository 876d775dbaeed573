"""The promise under kills, stops and cuts, in little: what CI runs. `./run_chaos.sh --tier gate` is the large form.

Bars are on counts; how late anything was is measured, and judged only where the machine is quiet.
"""

from pathlib import Path

import pytest

from chaos.stage import server
from chaos.tiers import tier
from launcher.servers.binaries import ServerBinary

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def binary() -> ServerBinary:
    return server("valkey")


@pytest.mark.parametrize("scenario", tier("smoke", 1, 1.0, print))
def test_every_bar_holds(scenario: str, binary: ServerBinary, tmp_path: Path) -> None:
    report = tier("smoke", 1, 1.0, print)[scenario](tmp_path, binary)
    assert report.held, report.text()
