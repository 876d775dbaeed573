"""The periodic crawl tasks of the real-estate watcher."""

from typing import Any

import livebeat
from app.core.celery_app import celery_app, schedulable
from app.core.errors import PlatformError, RateLimitedError
from app.core.settings import get_settings
from app.domains.realestate import crawls, services, trades

CRAWL_COMPLEX = "app.tasks.scheduler.crawl_complex"
SUMMARIZE = "app.tasks.scheduler.summarize_crawl"
BRIEFING = "app.tasks.briefing_tasks.send_custom_briefing"
_SUMMARY_PAUSE = 10.0


@schedulable
@celery_app.task(name="app.tasks.scheduler.crawl_all_complexes", bind=True)
def crawl_all_complexes(self: Any, job_type: str = "scheduled", resume: str | None = None) -> dict[str, Any]:
    """Send one crawl for each complex; `resume`: only for those that this earlier crawl of all (its job) didn't store.

    The summary that starts after them is what keeps a second crawl of all out.
    """
    run = self.request.id
    crawl_id = resume or str(services.job_id_for(run))
    summary = livebeat.send(SUMMARIZE, (crawl_id,), app=celery_app, after=run, unique=services.crawl_key("summary"))
    if not summary.accepted and not _is_of(summary.run_id, crawl_id):
        return {"total_complexes": 0, "runs": {}, "already_running": summary.run_id}
    left = crawls.begin(crawl_id, run, job_type)
    runs = {number: _send_crawl(number, job_type, crawl_id, parent=run) for number in left}
    return {"total_complexes": len(runs), "runs": runs, "job_id": crawl_id}


@celery_app.task(name=CRAWL_COMPLEX, bind=True, max_retries=None)
def crawl_complex(
    self: Any, complex_id: str, job_type: str = "scheduled", crawl_id: str | None = None
) -> dict[str, Any]:
    """Crawl and save one complex."""
    return _crawl(self, complex_id, job_type, crawl_id)


@schedulable
@celery_app.task(name="app.tasks.scheduler.crawl_complex_async", bind=True, max_retries=None)
def crawl_complex_async(self: Any, complex_id: str) -> dict[str, Any]:
    """Crawl and save one complex, asked for by hand."""
    return _crawl(self, complex_id, "manual", None)


@celery_app.task(name=SUMMARIZE, bind=True, max_retries=None)
def summarize_crawl(self: Any, crawl_id: str) -> dict[str, Any]:
    """Close a crawl of all, once crawls that others had begun for it have ended, too; then tell Discord what changed."""
    if any(map(_is_alive, crawls.unfinished_runs(crawl_id))):
        raise self.retry(countdown=_SUMMARY_PAUSE)
    result = crawls.end(crawl_id, self.request.id)
    if get_settings().discord_webhook_url:
        livebeat.send(BRIEFING, kwargs={"days": 7, "to_slack": False}, app=celery_app, unique="briefing:crawl")
    return result


@schedulable
@celery_app.task(name="app.tasks.scheduler.cleanup_old_snapshots")
def cleanup_old_snapshots() -> dict[str, Any]:
    """Delete snapshots older than 90 days."""
    return services.cleanup_old_snapshots()


@schedulable
@celery_app.task(name="app.tasks.scheduler.import_real_trades", bind=True, max_retries=5)
def import_real_trades(self: Any, regions: list[str], months: int = 3) -> dict[str, Any]:
    """Import the ministry's real trades of the last months in these regions (five digits of a legal-dong code each)."""
    try:
        return trades.import_trades(regions, months, tell=livebeat.progress)
    except RateLimitedError:
        raise  # today's calls are used up, or nearly so: the next scheduled run goes on
    except PlatformError as error:
        if not error.retryable:
            raise
        raise self.retry(exc=error, countdown=60.0 * 2**self.request.retries) from error


def _send_crawl(complex_id: str, job_type: str, crawl_id: str, parent: str) -> str:
    """The run that crawls this complex: a new one, or the one that is under way."""
    kwargs = {"complex_id": complex_id, "job_type": job_type, "crawl_id": crawl_id}
    key = services.crawl_key(complex_id)
    run = livebeat.send(CRAWL_COMPLEX, kwargs=kwargs, app=celery_app, parent=parent, unique=key).run_id
    crawls.add(crawl_id, complex_id, run, services.job_id_for(run), job_type)
    return run


def _crawl(task: Any, complex_id: str, job_type: str, crawl_id: str | None) -> dict[str, Any]:
    request = task.request
    execution = services.Execution(request.id, crawl_id, request.retries, _is_alive, _tell)
    try:
        return services.crawl_complex(complex_id, execution, job_type)
    except PlatformError as error:
        wait = services.retry_in(error, request.retries)
        if wait is None:
            raise
        raise task.retry(exc=error, countdown=wait) from error


def _tell(listings: int) -> None:
    livebeat.progress(listings, note="매물")


def _is_alive(run: str) -> bool:
    return livebeat.run_state(celery_app, run) is not None


def _is_of(summary: str, crawl_id: str) -> bool:
    """Whether the summary that waits is this crawl's own, sent before its run was executed again."""
    entry = livebeat.run_state(celery_app, summary)
    return entry is not None and crawl_id in entry.text
