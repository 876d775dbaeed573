"""The whole of a schedule by REST: every rule and policy, one field at a time, in words, and previewed."""

from typing import Any

import httpx2
import pytest

from app.core.celery_app import celery_app
from livebeat import ScheduleStore

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(90)

ALL = "app.tasks.scheduler.crawl_all_complexes"
PATH = "/api/scheduler/schedule"
ENGLISH = {"Accept-Language": "en"}
EVERY_POLICY: dict[str, Any] = {
    "catchup": "all", "catchup_window": 3600, "overlap": "skip", "jitter": 30, "start": "2026-12-01T00:00:00Z",
    "end": "2027-12-01T00:00:00Z", "max_runs": 100, "max_runtime": 60, "pause_after_failures": 3,
    "labels": ["night", "밤"],
}  # fmt: skip
RULES: list[dict[str, Any]] = [
    {"kind": "cron", "expression": "*/10 9-18 * * 1-5", "timezone": "America/New_York"},
    {"kind": "cron", "expression": "15 0 6 * * *", "timezone": "Asia/Seoul"},
    {"kind": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin", "gap": "skip", "repeat": "both"},
    {"kind": "interval", "every": 90.0, "anchor": "2026-11-01T00:00:00+00:00"},
    {"kind": "rrule", "rule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0;BYSECOND=0", "timezone": "Asia/Seoul"},
    {"kind": "once", "at": "2100-12-24T09:00:00+00:00"},
    {"kind": "union", "rules": [
        {"kind": "cron", "expression": "0 9 * * *", "timezone": "Asia/Seoul"},
        {"kind": "cron", "expression": "30 18 * * 5", "timezone": "Asia/Seoul"},
    ]},
    {"kind": "excluding", "rule": {"kind": "cron", "expression": "0 9 * * 1-5", "timezone": "Asia/Seoul"},
     "dates": ["2026-12-24/2026-12-31"], "holidays": {"country": "KR"}, "timezone": "Asia/Seoul"},
]  # fmt: skip


def create(api: httpx2.Client, **more: Any) -> httpx2.Response:
    """With patience: the first holiday calendar of a process takes seconds on a busy machine."""
    return api.post(PATH, json={"name": "n", "task": ALL, "recurrence": RULES[0], **more}, timeout=30)


def shown(api: httpx2.Client, name: str = "n", **headers: str) -> dict[str, Any]:
    answer = api.get(f"{PATH}/{name}", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def holds(found: Any, asked: Any) -> bool:
    """Whether everything that was asked for is there; more may be."""
    if isinstance(asked, dict):
        return isinstance(found, dict) and all(holds(found.get(name), value) for name, value in asked.items())
    if isinstance(asked, list):
        return isinstance(found, list) and len(found) == len(asked) and all(map(holds, found, asked))
    return bool(found == asked)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule['kind']} {rule.get('expression', '')}")
def test_every_rule_comes_back_as_it_was_given(api: httpx2.Client, rule: dict[str, Any]) -> None:
    assert create(api, recurrence=rule).status_code == 200
    found = shown(api)
    assert holds(found["recurrence"], rule)
    assert found["in_words"]
    assert shown(api, **ENGLISH)["in_words"] != found["in_words"]
    assert [each["at"] for each in found["upcoming"]] == found["next_runs"]
    assert found["next_runs"][0] == found["next_run_at"]
    assert len(found["next_runs"]) == (1 if rule["kind"] == "once" else 10)
    assert api.get(PATH).json()["schedule"]["n"]["schedule"]


def test_every_policy_comes_back_as_it_was_given(api: httpx2.Client) -> None:
    assert create(api, **EVERY_POLICY).status_code == 200
    found = shown(api)
    assert holds(found, EVERY_POLICY), found
    assert "2026-11-30 19:00" in found["in_words"]
    stored = ScheduleStore(celery_app).get("n").spec
    assert (stored.overlap, stored.max_runs, stored.labels) == ("skip", 100, ("night", "밤"))


def test_without_them_a_schedule_is_as_ever(api: httpx2.Client) -> None:
    assert api.post(PATH, json={"name": "n", "task": ALL, "hour": 6, "minute": 0}).status_code == 200
    found = shown(api)
    defaults = {"catchup": "one", "catchup_window": None, "overlap": "allow", "jitter": 0, "start": None, "end": None}
    assert holds(found, {**defaults, "max_runs": None, "max_runtime": None, "pause_after_failures": None, "labels": []})


@pytest.mark.parametrize("field", sorted(EVERY_POLICY))
def test_a_change_of_one_field_leaves_the_others_alone(api: httpx2.Client, field: str) -> None:
    create(api, **{name: value for name, value in EVERY_POLICY.items() if name != field})
    before = ScheduleStore(celery_app).get("n").spec
    assert api.put(f"{PATH}/n", json={field: EVERY_POLICY[field]}).status_code == 200
    after = ScheduleStore(celery_app).get("n").spec
    assert after == before.with_changes(**{field: getattr(after, field)})
    assert shown(api)[field] == EVERY_POLICY[field]


@pytest.mark.parametrize("field", ["catchup_window", "start", "end", "max_runs", "max_runtime", "pause_after_failures"])
def test_null_takes_a_limit_away(api: httpx2.Client, field: str) -> None:
    create(api, **EVERY_POLICY)
    assert api.put(f"{PATH}/n", json={field: None}).status_code == 200
    assert holds(shown(api), {**EVERY_POLICY, field: None})


def test_null_leaves_what_is_no_limit(api: httpx2.Client) -> None:
    create(api, **EVERY_POLICY)
    names = ("recurrence", "catchup", "overlap", "jitter", "labels", "hour", "description")
    assert api.put(f"{PATH}/n", json=dict.fromkeys(names)).status_code == 200
    assert shown(api)["revision"] == 1


def test_the_hour_alone_moves_whatever_rule_has_one(api: httpx2.Client) -> None:
    for rule, expected in (
        (RULES[1], "15 0 7 * * *"),
        (RULES[2], "30 7 * * *"),
        (RULES[7], "0 7 * * 1-5"),
    ):
        create(api, recurrence=rule)
        assert api.put(f"{PATH}/n", json={"hour": 7}).status_code == 200
        found = shown(api)["recurrence"]
        moved = found["rule"] if found["kind"] == "excluding" else found
        assert moved["expression"] == expected
        wanted = (
            {**rule, "rule": {**rule["rule"], "expression": expected}}
            if "rule" in rule
            else {**rule, "expression": expected}
        )
        assert holds(found, wanted)
        api.delete(f"{PATH}/n")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"hour": 6}, "recurrence"),
        ({"day_of_week": "1"}, "recurrence"),
        ({"recurrence": None}, "hour"),
        ({"recurrence": None, "hour": 6}, "minute"),
        ({"recurrence": {"kind": "often"}}, "recurrence"),
        ({"recurrence": {"kind": "cron", "expression": "61 * * * *"}}, "minute"),
        ({"recurrence": {"kind": "cron", "expression": "0 0 31 2 *"}}, "cron"),
        ({"recurrence": "0 6 * * *"}, "recurrence"),
        ({"overlap": "sometimes"}, "overlap"),
        ({"catchup": "two"}, "catchup"),
        ({"jitter": -1}, "jitter"),
        ({"jitter": "1"}, "jitter"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "2026-12-01T00:00:00"}, "start"),
        ({"start": 1764547200}, "start"),
        ({"end": "9999-12-31T23:59:59+00:00"}, "end"),
        ({"start": "2026-12-02T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "end"),
        ({"max_runs": 0}, "max_runs"),
        ({"max_runtime": 0.1}, "max_runtime"),
        ({"pause_after_failures": 1.5}, "pause_after_failures"),
        ({"labels": [1]}, "labels"),
    ],
)
def test_what_can_not_be_used_is_422_with_a_sentence(api: httpx2.Client, body: dict[str, Any], field: str) -> None:
    sentences = set()
    for language in ("ko", "en"):
        answer = api.post(
            PATH,
            json={"name": "n", "task": ALL, "recurrence": RULES[0], **body},
            headers={"Accept-Language": language},
        )
        assert answer.status_code == 422, answer.text
        assert [each["field"] for each in answer.json()["errors"]] == [field], answer.text
        sentences.add(answer.json()["detail"])
    assert len(sentences) == 2
    assert api.get(PATH).json()["schedule"] == {}


def test_what_the_clocks_do_is_told(api: httpx2.Client) -> None:
    rule = {"kind": "cron", "expression": "30 2 * * *", "timezone": "America/New_York"}
    create(api, recurrence=rule, start="2027-03-13T00:00:00-05:00")
    for headers in ({}, ENGLISH):
        upcoming = shown(api, **headers)["upcoming"]
        (moved,) = [each for each in upcoming if each["shift"]]
        assert moved["at"].startswith("2027-03-14T07:00:00")
        assert moved["local"] == "2027-03-14T03:00:00-04:00"


def test_a_preview_saves_nothing(api: httpx2.Client) -> None:
    create(api, recurrence={"kind": "cron", "expression": "0 9 * * *", "timezone": "UTC"})
    before = shown(api)
    found = api.post(
        f"{PATH}/n/preview", json={"recurrence": {"kind": "cron", "expression": "0 9 * * 1", "timezone": "UTC"}}
    )
    assert found.status_code == 200, found.text
    assert [each["at"] for each in found.json()["before"]] == before["next_runs"]
    assert found.json()["after"][0]["at"] in before["next_runs"]
    assert found.json()["lost"]
    assert found.json()["gained"] == []
    assert shown(api) == before
    assert api.post(f"{PATH}/n/preview", json={"hour": 99}).status_code == 422
    assert api.post(f"{PATH}/none/preview", json={}).status_code == 404


def test_the_document_knows_the_forms(api: httpx2.Client) -> None:
    document = api.get("/openapi.json").json()
    fields = document["components"]["schemas"]["ChangeForm"]["properties"]
    assert {"recurrence", "hour", *EVERY_POLICY} <= fields.keys()
    assert document["components"]["schemas"]["CreateForm"]["required"] == ["name", "task"]
    paths = document["paths"]
    for path, method in (
        ("/schedule/{name}/pause", "post"), ("/schedule/{name}/resume", "post"), ("/schedule/{name}/trigger", "post"),
        ("/schedule/{name}/preview", "post"), ("/schedule/{name}/backfill", "post"),
        ("/schedule/{name}/backfill", "get"), ("/backfills/{backfill_id}", "get"),
        ("/backfills/{backfill_id}", "delete"), ("/load", "get"),
    ):  # fmt: skip
        assert method in paths[f"/api/scheduler{path}"], path
