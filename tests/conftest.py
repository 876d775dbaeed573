"""One private environment for each test process: its own data folder, Valkey and database, never the developer's.

`TEST_DATABASE=postgres` runs every database test on an embedded PostgreSQL instead of SQLite, `TEST_SERVER=redis`
all tests on the redis-server on PATH instead of the wheel's Valkey.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
import redis

from launcher.servers.postgres import EmbeddedPostgres
from launcher.servers.valkey import EmbeddedValkey
from support.redis_servers import chosen

_folder = Path(tempfile.mkdtemp(prefix="lb-test-"))
_folder.chmod(0o711)  # a PostgreSQL that runs as nobody must get through
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

_valkey = EmbeddedValkey(_folder / "valkey", binary=chosen(), durable=False)
_postgres = (
    EmbeddedPostgres(_folder / "postgres", durable=False) if os.environ.get("TEST_DATABASE") == "postgres" else None
)
if _postgres is not None:
    _postgres.start()
    atexit.register(_postgres.stop)

for _name in list(os.environ):
    if _name.startswith(("REDIS_", "POSTGRES_", "DATABASE_", "AES_KEY_", "SENTRY_", "LIVEBEAT_", "API_")):
        del os.environ[_name]
os.environ.update(
    LIVEBEAT_DATA_DIR=str(_folder / "data"),
    REDIS_URL=_valkey.client_url,
    DATABASE_URL=_postgres.url if _postgres else f"sqlite:///{_folder / 'livebeat.sqlite3'}",
    DJANGO_SETTINGS_MODULE="app.django_project.settings",
    **{f"AES_KEY_{index}": f"{index:x}" * 32 for index in range(10)},
)
(_folder / "data").mkdir()

from django.conf import settings  # noqa: E402  the environment above decides what it reads
from django.db.models.signals import post_migrate  # noqa: E402  as above

if _postgres is None:  # a file, not memory: the API's threads and other processes must see the same rows
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(_folder / "test.sqlite3")
# Hashing a password is made to cost half a second; not here, where hundreds are hashed.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
django.setup()
# Many tests end with empty tables, which Django takes for a migration. To make all permissions anew each time is nearly a
# tenth of the time of those with a database; who needs one makes it.
post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
# Inherited by xdist's workers, it would make them read the settings before they have an environment of their own.
del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedValkey]:
    """This process's private Valkey."""
    with _valkey as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedValkey) -> str:
    """Its address, in redis-py's spelling. Empty at the start of each test, and nobody of an earlier one still waits in it:
    a killed worker's or a closed channel's `BRPOP` would go on for a second, and take the next test's message."""
    with redis.Redis.from_url(redis_server.client_url) as client:
        client.flushall()
        for other in client.client_list():
            if "b" in other["flags"]:
                client.client_unblock(int(other["id"]))
    return redis_server.client_url
