"""The periodic crawl tasks of the real-estate watcher."""

from typing import Any

import livebeat
from app.core.celery_app import celery_app, schedulable
from app.domains.realestate import services


@schedulable
@celery_app.task(name="app.tasks.scheduler.crawl_all_complexes", bind=True)
def crawl_all_complexes(self: Any, job_type: str = "scheduled") -> dict[str, Any]:
    """Send one crawl for each complex that isn't being crawled; returns how many, and the ids of the runs that do."""
    sent = {
        complex_id: livebeat.send(
            "app.tasks.scheduler.crawl_complex",
            kwargs={"complex_id": complex_id, "job_type": job_type},
            app=celery_app,
            parent=self.request.id,
            unique=services.crawl_key(complex_id),
        ).run_id
        for complex_id in services.complex_ids()
    }
    return {"total_complexes": len(sent), "runs": sent}


@celery_app.task(name="app.tasks.scheduler.crawl_complex", bind=True)
def crawl_complex(self: Any, complex_id: str, job_type: str = "scheduled") -> dict[str, Any]:
    """Crawl and save one complex."""
    return services.crawl_complex(complex_id, run_id=self.request.id, job_type=job_type)


@schedulable
@celery_app.task(name="app.tasks.scheduler.crawl_complex_async", bind=True)
def crawl_complex_async(self: Any, complex_id: str) -> dict[str, Any]:
    """Crawl and save one complex, asked for by hand."""
    return services.crawl_complex(complex_id, run_id=self.request.id, job_type="manual")


@schedulable
@celery_app.task(name="app.tasks.scheduler.cleanup_old_snapshots")
def cleanup_old_snapshots() -> dict[str, Any]:
    """Delete snapshots older than 90 days."""
    return services.cleanup_old_snapshots()
