"""The embedded servers are real: they answer, keep what they answered, and are found to be ours."""

import os
import signal
from pathlib import Path

import psycopg
import pytest
import redis

from launcher.errors import PreflightError, StartError
from launcher.instance import Instance, find_running
from launcher.preflight import check_data_dir, check_port_free, free_port
from launcher.servers import EmbeddedPostgres, EmbeddedValkey
from support.listening import listener
from support.processes import is_alive
from support.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that PostgreSQL's own user can reach through pytest's private ones."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == tmp_path.owner() and parent.is_relative_to("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    return tmp_path / "data"


def test_valkey_keeps_every_answered_write_through_a_kill(folder: Path) -> None:
    valkey = EmbeddedValkey(folder).start()
    client = redis.Redis.from_url(valkey.client_url)
    for number in range(500):
        client.set(f"key:{number}", number)
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGKILL)
    valkey.stop()
    with EmbeddedValkey(folder) as again:
        assert again.client_url == valkey.client_url
        assert redis.Redis.from_url(again.client_url).dbsize() == 500
    client.close()


def test_valkey_never_evicts_and_can_not_be_reached_by_network(folder: Path) -> None:
    with EmbeddedValkey(folder) as valkey, redis.Redis.from_url(valkey.client_url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert valkey.socket_path.parent.stat().st_mode & 0o777 == 0o700


def test_valkey_in_a_deep_folder_is_reached_by_a_short_path(folder: Path) -> None:
    with EmbeddedValkey(folder / ("d" * 100)) as valkey:
        assert redis.Redis.from_url(valkey.client_url).ping()


def test_a_foreign_server_on_the_socket_is_not_taken_for_ours(folder: Path) -> None:
    with EmbeddedValkey(folder, durable=False) as valkey:
        assert valkey.pid is not None
        assert valkey.ready(valkey.pid)
        assert not valkey.ready(os.getpid())


def test_a_valkey_that_can_not_read_its_data_says_so(folder: Path) -> None:
    valkey = EmbeddedValkey(folder).start()
    with redis.Redis.from_url(valkey.client_url) as client:
        client.set("a", 1)
    valkey.stop()
    for file in folder.glob("*/appendonlydir/*.manifest"):
        file.write_text("nonsense\n")
    with pytest.raises(StartError, match="valkey failed with exit code"):
        valkey.start()


@pytest.mark.postgres
def test_postgres_answers_and_keeps_its_rows(folder: Path) -> None:
    with EmbeddedPostgres(folder) as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("create table kept (name text)")
        connection.execute("insert into kept values ('가락동')")
    with EmbeddedPostgres(folder) as postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("select name from kept").fetchone() == ("가락동",)
        assert connection.execute("show listen_addresses").fetchone() == ("",)


@pytest.mark.postgres
def test_postgres_ends_with_a_connection_open(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as postgres:
        connection = psycopg.connect(postgres.url)
        assert postgres._process is not None
        pid = postgres._process.pid
    assert not is_alive(pid)
    connection.close()


def test_a_folder_belongs_to_one_launcher_at_a_time(tmp_path: Path) -> None:
    with Instance(tmp_path, "http://127.0.0.1:8000") as instance:
        instance.note({"beat": 42})
        running = find_running(tmp_path)
        assert running is not None
        assert (running.pid, running.children) == (os.getpid(), {"beat": 42})
        with pytest.raises(PreflightError, match=str(os.getpid())), Instance(tmp_path, ""):
            pass
    assert find_running(tmp_path) is None


def test_a_taken_port_is_named_with_what_to_set() -> None:
    with listener() as port:
        with pytest.raises(PreflightError, match=rf"port {port} on 127.0.0.1.*API_PORT"):
            check_port_free("127.0.0.1", port)
        assert free_port(port, set()) != port
    check_port_free("127.0.0.1", port)
    assert free_port(port, set()) == port
    assert free_port(port, {port}) != port


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PreflightError, match=r"API_HOST is '192\.0\.2\.1'"):
        check_port_free("192.0.2.1", 8000)


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightError, match="LIVEBEAT_DATA_DIR"):
        check_data_dir(tmp_path / "file" / "data")


def test_a_stopped_server_is_gone(folder: Path) -> None:
    valkey = EmbeddedValkey(folder, durable=False).start()
    pid = valkey.pid
    assert pid is not None
    valkey.stop()
    valkey.stop()
    wait_until(lambda: not is_alive(pid), 10, "the server's end")
