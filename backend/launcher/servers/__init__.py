"""Private servers for one data folder: Valkey (or Redis) and PostgreSQL, by unix socket, stopped with their owner.

    with EmbeddedValkey(folder) as valkey:
        redis.Redis.from_url(valkey.client_url)

Both keep their data between starts and listen on no network port.
"""

from launcher.servers.postgres import EmbeddedPostgres
from launcher.servers.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey"]
