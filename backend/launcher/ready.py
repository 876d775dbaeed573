"""What a person sees once everything works: one fixed line for programs, then what to open and how to stop."""

import os
import shlex
import shutil
import sys

from launcher.environment import Addresses
from launcher.messages import text
from launcher.settings import LauncherSettings


def ready_block(settings: LauncherSettings, found: Addresses, *, with_demo: bool) -> list[str]:
    """The lines. The first is `ready <url>`, in every language."""
    url = settings.api_url
    lines = [
        f"ready {url}",
        text("hint_docs", url=url),
        text("hint_admin", url=url),
        text("hint_flower", url=url),
        text("hint_redis", command=redis_command(found)) if found.valkey else text("hint_redis_given"),
        text("hint_data", path=settings.data_dir),
    ]
    if with_demo:
        lines.append(text("hint_demo"))
    return [*lines, text("hint_stop", command=f"kill {os.getpid()}")]


def redis_command(found: Addresses) -> str:
    """A command to paste into a shell that opens the embedded server, with what this machine has."""
    socket = str(found.valkey.socket_path) if found.valkey else ""
    client = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if client:
        return shlex.join([client, "-s", socket])
    # Double quotes inside, since the shell's own are single.
    code = f'import redis; r = redis.Redis(unix_socket_path="{socket}", decode_responses=True); print(r)'
    return shlex.join([sys.executable, "-i", "-c", code])
