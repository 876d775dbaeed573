"""Of RedBeat's tests those run that the table in `../README.md` says run as they are."""

import re
from pathlib import Path

import pytest

from upstream.basecase import RedBeatCase

HERE = Path(__file__).parent


def names(how: str) -> set[str]:
    """The tests (`test_json::Class::test_name`) that the table says are dealt with in this way."""
    table = (HERE.parent / "README.md").read_text(encoding="utf-8")
    return set(re.findall(rf"^\| `(\S+)` \| {how} \|", table, re.MULTILINE))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    run = names("as is")
    others = []
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            if item.nodeid.partition("upstream/")[2].replace(".py::", "::") not in run:
                others.append(item)
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


@pytest.fixture(autouse=True)
def server(redis_url: str) -> None:
    RedBeatCase.redis_url = redis_url
