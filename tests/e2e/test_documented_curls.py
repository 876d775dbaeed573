"""The old guide's shell commands, as they stand there and in their order, by the real bash and curl.

Only the address is another one. `date` is ours where the guide reads the clock, so that each hour of the day is tried.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.servers.valkey import EmbeddedValkey
from support.platform_processes import platform_environment, start
from support.processes import clean_environment

pytestmark = [pytest.mark.timeout(90), pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_url")]

LIST = "curl http://localhost:8000/api/scheduler/schedule"
CREATE = """\
curl -X POST "http://localhost:8000/api/scheduler/schedule" \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "테스트_크롤링",
    "task": "app.tasks.scheduler.crawl_all_complexes",
    "hour": 14,
    "minute": 30,
    "day_of_week": "3",
    "description": "매주 수요일 오후 2시 30분"
  }'
"""
CHANGE = """\
curl -X PUT "http://localhost:8000/api/scheduler/schedule/테스트_크롤링" \\
  -H "Content-Type: application/json" \\
  -d '{
    "hour": 15,
    "minute": 0
  }'
"""
DELETE = 'curl -X DELETE "http://localhost:8000/api/scheduler/schedule/테스트_크롤링"'
SOON = r"""
# 현재 시각 기준 2분 후 실행되도록 설정
CURRENT_HOUR=$(date +%H)
CURRENT_MIN=$(date +%M)
TARGET_MIN=$((CURRENT_MIN + 2))
TARGET_HOUR=$CURRENT_HOUR

if [ $TARGET_MIN -ge 60 ]; then
    TARGET_MIN=$((TARGET_MIN - 60))
    TARGET_HOUR=$((CURRENT_HOUR + 1))
fi

# API로 스케줄 생성
curl -X POST "http://localhost:8000/api/scheduler/schedule" \
  -H "Content-Type: application/json" \
  -d "{
    \"name\": \"즉시_테스트\",
    \"task\": \"app.tasks.scheduler.crawl_all_complexes\",
    \"hour\": $TARGET_HOUR,
    \"minute\": $TARGET_MIN,
    \"day_of_week\": \"*\",
    \"description\": \"즉시 테스트 (2분 후 실행)\"
  }"

echo ""
echo "✅ 스케줄 생성 완료! ${TARGET_HOUR}:${TARGET_MIN}에 실행됩니다."
echo "📋 로그 확인: tail -f /tmp/celery_beat.log"
"""
LIST_BY_JQ = "curl http://localhost:8000/api/scheduler/schedule | jq"
CHANGE_SOON = """\
# 시간 변경
curl -X PUT "http://localhost:8000/api/scheduler/schedule/즉시_테스트" \\
  -H "Content-Type: application/json" \\
  -d '{"minute": 45}'

# 5초 이내 자동 반영!
"""
DELETE_SOON = """\
# 테스트 스케줄 삭제
curl -X DELETE "http://localhost:8000/api/scheduler/schedule/즉시_테스트"
"""
CREATE_AFTER_MIGRATION = """\
# API로 스케줄 생성
curl -X POST http://localhost:8000/api/scheduler/schedule \\
  -H "Content-Type: application/json" \\
  -d '{"name": "테스트", "task": "app.tasks.scheduler.crawl_all_complexes", "hour": 15, "minute": 0, "day_of_week": "*"}'
"""
NOTE = "RedBeat이 자동으로 감지하여 5초 이내 적용됩니다."
OPTIONS = {"expires": 3600}
ALL = "app.tasks.scheduler.crawl_all_complexes"


@pytest.fixture(scope="module")
def address(
    redis_server: EmbeddedValkey, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the API process listens. One serves the module; its Redis and its database are empty for each test."""
    with start("api", platform_environment(tmp_path_factory.mktemp("api"))) as api:
        line = api.wait_for_line("Uvicorn running on http://", 60)
        yield line.split("http://")[1].split()[0]


def shell(command: str, address: str, *, path: str = "", **env: str) -> str:
    """What bash prints for the command."""
    environment = clean_environment(**env)
    environment["PATH"] = f"{path}:{environment['PATH']}"
    script = command.replace("localhost:8000", address)
    if not shutil.which("jq"):  # the guide only prints with it; a machine need not have it for these tests
        script = f'jq() {{ "{sys.executable}" -m json.tool --no-ensure-ascii; }}\n{script}'
    ran = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def answer(command: str, address: str) -> dict[str, Any]:
    """The JSON that the command's curl printed."""
    return dict(json.loads(shell(command, address)))


def clock_says(folder: Path, hour: str, minute: str) -> str:
    """A folder with a `date` that knows this time alone."""
    date = folder / "date"
    date.write_text(f"#!/bin/sh\ncase $1 in +%H) echo {hour} ;; +%M) echo {minute} ;; esac\n")
    date.chmod(0o755)
    return str(folder)


def test_the_guide_from_top_to_bottom(address: str, tmp_path: Path) -> None:
    assert answer(LIST, address) == {"schedule": {}, "timezone": "Asia/Seoul"}

    created = answer(CREATE, address)
    shown = {"name": "테스트_크롤링", "task": ALL, "hour": 14, "minute": 30, "day_of_week": "3"}
    assert created["message"] == "스케줄 '테스트_크롤링'이 생성되었습니다."
    assert created["schedule"] == {**shown, "description": "매주 수요일 오후 2시 30분"}
    assert created["note"] == NOTE
    entry = answer(LIST, address)["schedule"]["테스트_크롤링"]
    assert {name: entry[name] for name in ("task", "schedule", "options")} == {
        "task": ALL,
        "schedule": "<crontab: 30 14 * * 3 (m/h/dM/MY/d)>",
        "options": OPTIONS,
    }

    changed = answer(CHANGE, address)
    assert changed["message"] == "스케줄 '테스트_크롤링'이 수정되었습니다."
    assert {**shown, "hour": 15, "minute": 0}.items() <= changed["schedule"].items()
    deleted = answer(DELETE, address)
    assert deleted["message"] == "스케줄 '테스트_크롤링'이 삭제되었습니다."

    printed = shell(SOON, address, path=clock_says(tmp_path, "14", "31"))
    assert "스케줄 '즉시_테스트'이 생성되었습니다." in printed
    assert "✅ 스케줄 생성 완료! 14:33에 실행됩니다." in printed
    listed = answer(LIST_BY_JQ, address)["schedule"]
    assert listed["즉시_테스트"]["schedule"] == "<crontab: 33 14 * * * (m/h/dM/MY/d)>"
    assert answer(CHANGE_SOON, address)["schedule"]["minute"] == 45
    assert answer(LIST, address)["schedule"]["즉시_테스트"]["schedule"] == "<crontab: 45 14 * * * (m/h/dM/MY/d)>"
    assert answer(DELETE_SOON, address)["message"] == "스케줄 '즉시_테스트'이 삭제되었습니다."

    assert answer(CREATE_AFTER_MIGRATION, address)["message"] == "스케줄 '테스트'이 생성되었습니다."
    assert set(answer(LIST, address)["schedule"]) == {"테스트"}


@pytest.mark.parametrize(
    ("hour", "minute", "expected"),
    [
        ("07", "31", "33 7"),  # $TARGET_HOUR is 07 then, which strict JSON doesn't know
        ("00", "00", "2 0"),
        ("08", "07", "9 8"),
        ("09", "55", "57 9"),
        ("12", "59", "1 13"),
    ],
)
def test_in_two_minutes_at_any_time_of_the_day(
    address: str, tmp_path: Path, hour: str, minute: str, expected: str
) -> None:
    printed = shell(SOON, address, path=clock_says(tmp_path, hour, minute))
    assert "생성되었습니다." in printed
    rule = answer(LIST, address)["schedule"]["즉시_테스트"]["schedule"]
    assert rule == f"<crontab: {expected} * * * (m/h/dM/MY/d)>"


@pytest.mark.parametrize(("hour", "minute"), [("23", "58"), ("14", "08")])
def test_where_the_guides_own_arithmetic_fails_a_sentence_says_so(
    address: str, tmp_path: Path, hour: str, minute: str
) -> None:
    """Hour 24, and bash's octal 08: no server could know what was meant, so it says what is wrong."""
    printed = shell(SOON, address, path=clock_says(tmp_path, hour, minute))
    problem = json.loads(printed.strip().splitlines()[0])
    assert problem["status"] == 422
    assert problem["detail"]
    assert answer(LIST, address)["schedule"] == {}


def test_the_name_percent_encoded_is_the_same_name(address: str) -> None:
    answer(CREATE, address)
    encoded = "%ED%85%8C%EC%8A%A4%ED%8A%B8_%ED%81%AC%EB%A1%A4%EB%A7%81"
    assert answer(CHANGE.replace("테스트_크롤링", encoded), address)["schedule"]["name"] == "테스트_크롤링"
    assert answer(DELETE.replace("테스트_크롤링", encoded), address)["message"].startswith("스케줄 '테스트_크롤링'")
