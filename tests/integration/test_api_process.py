"""The api process refuses to answer where others could reach it."""

import os
import subprocess
import sys


def test_an_exposed_address_ends_the_process_with_a_line(redis_url: str) -> None:
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "0"]
    environment = {**os.environ, "API_HOST": "0.0.0.0"}  # noqa: TID251  the private servers' names are there
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 78
    assert "API_HOST=0.0.0.0" in ended.stderr
    assert "Traceback" not in ended.stderr
