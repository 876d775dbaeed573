"""`/api/scheduler/trigger/*`: crawls started by hand; `/api/scheduler/complexes`: what there is to choose from.

A complex is crawled once at a time, asked for by its number or with all the others, and so are all of them: a second
request answers, still 200, with the run that is under way (`already_running`). `job_id` is the job to watch. A number
that we don't know yet is crawled, since that is how the old API came to know new complexes; what can't be a complex's
number is 404.
"""

import uuid
from typing import Any

from fastapi import APIRouter

from app.access.scopes import Scope
from app.api.access import needs
from app.api.engine import redis_link
from app.api.language import Reader
from app.api.problems import ProblemError
from app.api.routes.jobs import crawl_of_all, evidence
from app.api.routing import OrmRoute
from app.api.schedule_form import CRAWL_COMPLEX
from app.core.celery_app import celery_app
from app.domains.realestate import jobs, queries
from app.domains.realestate.services import crawl_key, is_complex_id
from livebeat import Sent, run_state, send

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=OrmRoute)

CRAWL_ALL = "app.tasks.scheduler.crawl_all_complexes"
_MOST_CHARACTERS = 50


@router.post("/trigger/all")
@needs(Scope.OPERATOR)
def trigger_all(reader: Reader, resume: uuid.UUID | None = None) -> dict[str, Any]:
    """Crawl every complex now; with `resume`, the id of such a crawl's job, only what that one didn't store."""
    kwargs = {"job_type": "manual"} | ({"resume": crawl_of_all(resume)["job_id"]} if resume else {})
    current = _current_crawl()
    sent = Sent(current["celery_task_id"], accepted=False) if current else _send(CRAWL_ALL, kwargs, crawl_key("all"))
    more = {"job_id": current["job_id"] if current else kwargs.get("resume", sent.run_id)}
    if reader == "en":
        what = "is under way already" if not sent.accepted else "was started in the background"
        return _started(sent, f"The crawl of all complexes {what}.", **more)
    what = "이미 진행 중입니다" if not sent.accepted else "백그라운드에서 시작되었습니다"
    return _started(sent, f"모든 단지 크롤링이 {what}.", **more)


@router.post("/trigger/{complex_id}")
@needs(Scope.OPERATOR)
def trigger_one(complex_id: str, reader: Reader) -> dict[str, Any]:
    """Crawl one complex now, by its number on the site; its job has the run's id."""
    if not is_complex_id(complex_id):
        shown = complex_id[:_MOST_CHARACTERS]
        raise ProblemError(
            404,
            "no-such-complex",
            f"단지 '{shown}'을(를) 찾을 수 없습니다. 단지 번호는 숫자여야 합니다.",
            f"There is no complex '{shown}': a complex's number has digits only.",
        )
    sent = _send(CRAWL_COMPLEX, {"complex_id": complex_id}, crawl_key(complex_id))
    if reader == "en":
        what = "is under way already" if not sent.accepted else "was started in the background"
        return _started(sent, f"The crawl of complex {complex_id} {what}.", complex_id=complex_id)
    what = "이미 진행 중입니다" if not sent.accepted else "백그라운드에서 시작되었습니다"
    return _started(sent, f"단지 {complex_id} 크롤링이 {what}.", complex_id=complex_id)


@router.get("/complexes")
@needs(Scope.VIEWER)
def complexes() -> dict[str, Any]:
    """The watched complexes, to choose one from."""
    shown = ("complex_id", "complex_name", "active_articles", "last_crawled_at")
    rows = [{name: row[name] for name in shown} for row in queries.complexes(watched=True)]
    return {"total": len(rows), "complexes": rows}


def _current_crawl() -> dict[str, Any] | None:
    """The job of the crawl of all that is under way: its run may have ended, while its summary still waits."""
    of = redis_link()
    summary = of.client.hget(of.keys.unique, crawl_key("summary"))
    if not summary or run_state(celery_app, str(summary)) is None:
        return None
    return jobs.current_crawl(evidence())


def _send(task: str, kwargs: dict[str, Any], unique: str) -> Sent:
    redis_link().client.ping()  # kombu would try for seconds to reach a broker that is away
    return send(task, kwargs=kwargs, unique=unique, app=celery_app)


def _started(sent: Sent, message: str, **more: str) -> dict[str, Any]:
    return {
        "task_id": sent.run_id,
        "status": "started",
        "message": message,
        "job_id": sent.run_id,
        "already_running": not sent.accepted,
        **more,
    }
