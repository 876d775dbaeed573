"""Where the embedded servers are, and the environment that every child gets.

Children are told everything by their environment, so that neither `.env` nor the state file can lead two of them
to different servers.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.instance import MARK
from launcher.servers import EmbeddedPostgres, EmbeddedValkey
from launcher.servers.sockets import socket_folder
from launcher.settings import LauncherSettings

FLOWER_SOCKET_NAME = "flower.sock"
#: As `app.django_project.settings` names it under the data folder.
SQLITE_NAME = "livebeat.sqlite3"


@dataclass(frozen=True)
class Addresses:
    """The embedded servers (prepared, not started) and the names that lead to them."""

    valkey: EmbeddedValkey | None
    postgres: EmbeddedPostgres | None
    flower_socket: Path
    environment: dict[str, str]

    def is_new_database(self, settings: LauncherSettings) -> bool:
        """Whether the embedded SQLite file is still to be made."""
        return settings.database == "sqlite" and not (settings.data_dir / SQLITE_NAME).exists()


def addresses(settings: LauncherSettings) -> Addresses:
    """Prepare the embedded servers that these settings ask for.

    Raises:
        PreflightError, StartError: one of them can't run here.
    """
    valkey = EmbeddedValkey(settings.data_dir) if settings.embedded_redis else None
    postgres = EmbeddedPostgres(settings.data_dir) if settings.database == "embedded-postgres" else None
    flower_socket = socket_folder(settings.data_dir) / FLOWER_SOCKET_NAME
    environment = {
        "API_HOST": settings.api_host,
        "API_PORT": str(settings.api_port),
        "FLOWER_SOCKET": str(flower_socket),
    }
    if valkey:
        valkey.prepare()
        environment["REDIS_URL"] = valkey.client_url
    if postgres:
        postgres.prepare()
        environment["DATABASE_URL"] = postgres.url
    return Addresses(valkey, postgres, flower_socket, environment)


def environment_for(settings: LauncherSettings, effective: Mapping[str, str]) -> dict[str, str]:
    """A child's whole environment: ours, with the effective addresses over it."""
    return {
        **os.environ,
        **effective,
        "LIVEBEAT_DATA_DIR": str(settings.data_dir),
        "PYTHONUNBUFFERED": "1",
        MARK: str(settings.data_dir),
    }
