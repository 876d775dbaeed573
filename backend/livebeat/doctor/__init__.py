"""`audit`: what an existing RedBeat database and its server hold in store for the engine. It writes nothing at all."""

from dataclasses import dataclass

from celery import Celery

from livebeat.connection import link
from livebeat.doctor.entries import check_entries, check_outsiders
from livebeat.doctor.findings import KINDS, SHOWN, Finding, Findings, Severity
from livebeat.doctor.reading import Read, examine, pages
from livebeat.doctor.server import check_broker, check_consumers, check_lock, check_server, check_settings

__all__ = ["KINDS", "SHOWN", "Audit", "Finding", "Read", "Severity", "audit", "examine", "pages"]


@dataclass(frozen=True)
class Audit:
    """What was found, the worst first, among how many schedules."""

    schedules: int
    findings: list[Finding]

    @property
    def worst(self) -> Severity | None:
        """The worst severity; None where nothing was found."""
        return self.findings[0].severity if self.findings else None


def audit(app: Celery) -> Audit:
    """Look at everything, in pages.

    Raises:
        redis.RedisError: Redis doesn't answer, or doesn't let this user read.
    """
    of, findings = link(app), Findings()
    check_server(of, findings)
    check_broker(of, findings)
    check_lock(of, findings)
    check_consumers(of, findings)
    check_settings(app, findings)
    if "index-type" in findings:
        return Audit(0, findings.listed())
    count = check_entries(app, of, findings)
    check_outsiders(of, findings)
    return Audit(count, findings.listed())
