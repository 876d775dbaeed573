"""`docs/stats-refresh.md`: its schedules can be used as they stand, and its figures are the program's."""

import inspect
import json
import re
from pathlib import Path

from app.clients.http import Patience
from app.core.celery_app import celery_app
from app.core.errors import PlatformError
from app.core.settings import Settings
from app.domains.velog import errors, retention, statistics
from app.tasks import maintenance, stats
from livebeat.delivery import admit
from livebeat.seedfile import parse

PAGE = Path(__file__).resolve().parents[2] / "docs" / "stats-refresh.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_its_schedules_are_accepted_and_leave_nobody_out() -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    specs = parse(block, PAGE)
    for spec in specs.values():
        admit(celery_app, spec)
        inspect.signature(celery_app.tasks[spec.task].run).bind(*spec.args, **spec.kwargs)
    groups = [spec.kwargs for spec in specs.values() if spec.task == stats.refresh_group.name]
    assert groups == [{"part": part, "parts": len(groups)} for part in range(1, len(groups) + 1)]
    assert [spec.task for spec in specs.values()].count(maintenance.cleanup_old_statistics.name) == 1
    assert json.loads(block)


def test_its_table_has_every_code() -> None:
    told = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.*?`) \|", TEXT, re.MULTILINE))))
    kinds = [PlatformError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    ends = {kind.code for kind in kinds if kind.__module__ in ("app.core.errors", errors.__name__)}
    others = {"error", "upstream_failed", errors.NoSuchGroupError.code, "token_expired", "access_refused"}
    assert told == ends - others


def test_its_figures_are_the_programs() -> None:
    patience = Patience()
    for figure in (
        f"**{Settings().velog_requests_per_second:g} requests a second",
        f"At most {statistics.THREADS} requests",
        f"written {statistics.CHUNK} at a time",
        f"({stats.SOFT_LIMIT_SECONDS} s)",
        f"of up to {patience.hold:g} seconds is waited out",
        f"all of them rest for {patience.rest:g} seconds",
        f"`VELOG_RETENTION_MONTHS` ({Settings().velog_retention_months})",
        f"{retention.BATCH:,} rows",
        "at most three times, 2, 4 and 8 seconds later",
    ):
        assert figure in TEXT.replace("\n", " "), figure
    assert (stats.RETRIES, patience.attempts) == (3, 3)
