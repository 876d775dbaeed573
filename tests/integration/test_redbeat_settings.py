"""Each `redbeat_*` setting, on real servers: honoured as stock RedBeat honours it, or not as docs/redbeat-settings.md says."""

import gc
import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from redbeat import RedBeatSchedulerEntry
from redbeat.schedulers import get_redis
from redis.credentials import UsernamePasswordCredentialProvider

from launcher.servers.valkey import EmbeddedValkey
from livebeat import Interval, LiveBeatScheduler, ScheduleSpec, ScheduleStore, clock, leader
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import REPLY_TIMEOUT, link
from livebeat.errors import ConfigurationError
from support.beats import OURS, Watch, beat
from support.engine import connect, make_app
from support.redis_servers import MASTER, sentinel, server, tls_before
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
ROOT = Path(__file__).resolve().parents[2]


def app_with(broker: str, **conf: Any) -> Celery:
    """An app with these settings alone."""
    app = Celery("settings", broker=broker, set_as_current=False)
    app.conf.update(timezone="Asia/Seoul", task_ignore_result=True, **conf)
    return app


def put(app: Celery, name: str = "a") -> None:
    rule = Interval(seconds=60)
    ScheduleStore(app).put(ScheduleSpec(name=name, task="any.task", recurrence=rule, args=(name,)))


def dispatch_and_lead(app: Celery) -> None:
    """One slot, and one tick of a beat in this process, which leads by it."""
    put(app)
    dispatcher = Dispatcher(link(app), ScheduleStore(app))
    assert dispatcher.run_once(clock.now() + timedelta(seconds=61)) == ("ok", 1)
    scheduler = LiveBeatScheduler(app)
    scheduler.tick()
    assert str(leader(app)).startswith("livebeat:")
    scheduler.close()
    assert leader(app) is None


def seen_by_stock(app: Celery, name: str = "a") -> str:
    """Where RedBeat's own code finds the schedule."""
    key = RedBeatSchedulerEntry.generate_key(app, name)
    assert RedBeatSchedulerEntry.from_key(key, app=app).task == "any.task"
    return str(key)


@pytest.fixture
def broker(redis_url: str) -> str:
    return redis_url.replace("unix://", "redis+socket://").replace("?db=0", "?virtual_host=0")


def test_the_page_names_every_setting() -> None:
    """Those that RedBeat's own source reads."""
    source = Path(get_redis.__code__.co_filename).read_text()
    settings = set(re.findall(r"either_or\(\s*'(redbeat_\w+)'", source))
    assert len(settings) == 6
    page = (ROOT / "docs" / "redbeat-settings.md").read_text(encoding="utf-8")
    assert {name for name in settings if f"\n| `{name}`" not in page} == set()


@pytest.mark.parametrize("spelling", ["redbeat_key_prefix", "REDBEAT_KEY_PREFIX"])
def test_key_prefix(redis_url: str, broker: str, spelling: str) -> None:
    app = app_with(broker, redbeat_redis_url=redis_url, **{spelling: "theirs:"})
    dispatch_and_lead(app)
    assert seen_by_stock(app) == "theirs:a"
    keys = connect(redis_url).keys()
    assert {"theirs::schedule", "livebeat:theirs:events"} <= set(keys)
    assert not [key for key in keys if key.startswith("redbeat:")]


def test_redis_url_names_a_database_of_its_own(redis_url: str, broker: str) -> None:
    app = app_with(broker, redbeat_redis_url=redis_url.replace("db=0", "db=3"))
    dispatch_and_lead(app)
    seen_by_stock(app)
    assert connect(redis_url.replace("db=0", "db=3")).exists("redbeat:a")
    assert connect(redis_url).llen("celery") == 1
    assert not connect(redis_url).exists("redbeat:a", "redbeat::schedule", "livebeat:events")


@pytest.mark.filterwarnings("ignore:RedBeat will stop falling back:DeprecationWarning")
def test_without_redis_url_the_broker_is_the_store(tmp_path: Path) -> None:
    """RedBeat warns of it: the fallback ends with its version 2.5."""
    with server(tmp_path / "server") as port:
        app = app_with(f"redis://127.0.0.1:{port}/2", broker_transport_options={"visibility_timeout": 3600})
        dispatch_and_lead(app)
        seen_by_stock(app)
        assert connect(f"redis://127.0.0.1:{port}/2").exists("redbeat:a", "celery") == 2


@pytest.mark.parametrize(
    ("setting", "lock"),
    [({}, "redbeat::lock"), ({"redbeat_lock_key": "redbeat:own"}, "redbeat:own"), ({"redbeat_lock_key": ":own"}, "redbeat::own")],
)  # fmt: skip
def test_lock_key(redis_url: str, broker: str, setting: dict[str, Any], lock: str) -> None:
    app = app_with(broker, redbeat_redis_url=redis_url, **setting)
    scheduler = LiveBeatScheduler(app)
    scheduler.tick()
    assert str(connect(redis_url).get(lock)).startswith("livebeat:")
    scheduler.close()


def test_a_lock_that_was_switched_off_is_taken_all_the_same(redis_url: str, broker: str) -> None:
    """Without it several beats of ours would waste work, and a stock beat with a lock would not be noticed."""
    app = app_with(broker, redbeat_redis_url=redis_url, redbeat_lock_key=None)
    dispatch_and_lead(app)


def test_lock_timeout_is_our_own(redis_url: str, broker: str) -> None:
    app = app_with(broker, redbeat_redis_url=redis_url, redbeat_lock_timeout=900, beat_max_loop_interval=300)
    scheduler = LiveBeatScheduler(app)
    scheduler.tick()
    assert 4000 < connect(redis_url).pttl("redbeat::lock") <= 5000
    scheduler.close()


def test_redis_options_reach_the_client_and_retry_period_does_not(redis_url: str, broker: str) -> None:
    options = {"retry_period": 60, "socket_timeout": 3.0, "client_name": "beats"}
    app = app_with(broker, redbeat_redis_url=redis_url, redbeat_redis_options=options)
    dispatch_and_lead(app)
    kwargs = link(app).client.connection_pool.connection_kwargs
    assert (kwargs["socket_timeout"], kwargs["client_name"]) == (3.0, "beats")
    assert link(app).client.client_getname() == "beats"
    assert kwargs["retry"].get_retries() == 0
    plain = app_with(broker, redbeat_redis_url=redis_url)
    assert link(plain).client.connection_pool.connection_kwargs["socket_timeout"] == REPLY_TIMEOUT


@pytest.mark.filterwarnings("ignore:RedBeat will stop falling back:DeprecationWarning")
def test_options_of_the_broker_are_not_the_clients(redis_url: str, broker: str) -> None:
    app = app_with(broker, redbeat_redis_url=redis_url, broker_transport_options={"socket_timeout": 3.0, "sep": ":"})
    dispatch_and_lead(app)
    assert link(app).client.connection_pool.connection_kwargs["socket_timeout"] == REPLY_TIMEOUT


@pytest.mark.parametrize("way", ["url", "options", "provider"])
def test_user_and_password(tmp_path: Path, way: str) -> None:
    with server(tmp_path / "server", "--requirepass", "geheim") as port:
        url = f"redis://:geheim@127.0.0.1:{port}/0"
        bare = f"redis://127.0.0.1:{port}/0"
        options = {
            "url": {},
            "options": {"username": "default", "password": "geheim"},
            "provider": {"credential_provider": UsernamePasswordCredentialProvider("default", "geheim")},
        }[way]
        app = app_with(url, redbeat_redis_url=url if way == "url" else bare, redbeat_redis_options=options)
        dispatch_and_lead(app)
        seen_by_stock(app)
        other = app_with(url, redbeat_redis_url=bare)
        with pytest.raises(redis.AuthenticationError):
            put(other)


# TLS: a terminator before the private server; see `support.redis_servers.tls_before`.


@pytest.fixture
def tls(redis_server: EmbeddedValkey, redis_url: str, tmp_path: Path) -> Iterator[str]:
    with tls_before(redis_server.socket_path, tmp_path) as port:
        yield f"rediss://127.0.0.1:{port}/0"


@pytest.mark.parametrize("setting", ["redbeat_redis_use_ssl", "broker_use_ssl"])
def test_tls(tls: str, redis_url: str, tmp_path: Path, setting: str) -> None:
    """`redbeat_redis_use_ssl` falls back to `broker_use_ssl`, which the broker's own connection takes."""
    trust = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(tmp_path / "ca.pem")}
    app = app_with(tls, redbeat_redis_url=tls, **{"broker_use_ssl": trust, setting: trust})
    dispatch_and_lead(app)
    seen_by_stock(app)
    assert connect(redis_url).llen("celery") == 1


def test_tls_checks_the_certificate(tls: str) -> None:
    for setting in ({}, {"redbeat_redis_use_ssl": True}, {"redbeat_redis_use_ssl": {"ssl_cert_reqs": "required"}}):
        with pytest.raises(redis.ConnectionError, match=r"(?i)certificate"):
            put(app_with(tls, redbeat_redis_url=tls, **setting))


def test_a_beat_process_over_tls(tls: str, redis_url: str, tmp_path: Path) -> None:
    trust = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(tmp_path / "ca.pem")}
    put(make_app(redis_url), "over-tls")
    ScheduleStore(make_app(redis_url)).put(
        ScheduleSpec(name="b", task="sample.echo", recurrence=Interval(seconds=1), args=("b",))
    )
    conf = {"broker_url": tls, "broker_use_ssl": trust, "redbeat_redis_use_ssl": trust}
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    with Watch(redis_url) as watch, beat(tls, tmp_path, *OURS):
        wait_until(lambda: len(watch.of("b")) > 2, 30, "slots of a beat that knows Redis by TLS alone")


# Sentinel: one master, one sentinel.


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[int, int]]:
    with ExitStack() as stack:
        master = stack.enter_context(server(tmp_path / "master"))
        yield master, stack.enter_context(sentinel(tmp_path / "sentinel", master))


def by_sentinel(port: int) -> dict[str, Any]:
    """The settings of an app that knows its Redis by the sentinel alone."""
    return {
        "broker_transport_options": {"master_name": MASTER},
        "redbeat_redis_url": "redis-sentinel://ignored:1/0",
        "redbeat_redis_options": {
            "sentinels": [("127.0.0.1", port)],
            "service_name": MASTER,
            "db": 4,
            "socket_timeout": 2.0,
        },
    }


def test_sentinel(watched: tuple[int, int]) -> None:
    """RedBeat makes a new pool with each call of its `get_redis`; ours outlives them."""
    master, port = watched
    app = app_with(f"sentinel://127.0.0.1:{port}/0", **by_sentinel(port))
    dispatch_and_lead(app)
    seen_by_stock(app)
    gc.collect()
    link(app).client.connection_pool.disconnect()
    put(app, "b")
    assert link(app).broker_db == "0/4"
    assert connect(f"redis://127.0.0.1:{master}/4").exists("redbeat:a", "redbeat:b") == 2
    assert connect(f"redis://127.0.0.1:{master}/0").llen("celery") == 1


def test_a_beat_process_over_sentinel(watched: tuple[int, int], tmp_path: Path) -> None:
    master, port = watched
    conf = {"broker_url": f"sentinel://127.0.0.1:{port}/0", **by_sentinel(port)}
    url = conf.pop("redbeat_redis_url")
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    app = app_with(conf["broker_url"], **by_sentinel(port))
    ScheduleStore(app).put(ScheduleSpec(name="b", task="sample.echo", recurrence=Interval(seconds=1), args=("b",)))
    with Watch(f"redis://127.0.0.1:{master}/0") as watch, beat(url, tmp_path, *OURS) as running:
        wait_until(lambda: len(watch.of("b")) > 2, 30, "slots of a beat that knows Redis by sentinel alone")
        running.send(signal.SIGTERM)
        assert running.wait(20) == 0


# What can't be.


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://127.0.0.1:1/0", {"cluster": True}),
        ("redis-cluster://127.0.0.1:1/0", {"startup_nodes": [{"host": "127.0.0.1", "port": 1}]}),
    ],
)
def test_a_cluster_is_refused_by_name(url: str, options: dict[str, Any]) -> None:
    app = app_with("redis://127.0.0.1:1/0", redbeat_redis_url=url, redbeat_redis_options=options)
    with pytest.raises(ConfigurationError, match="Redis Cluster"):
        put(app)


@pytest.mark.filterwarnings("ignore:RedBeat will stop falling back:DeprecationWarning")
@pytest.mark.parametrize(
    "broker",
    ["redis+socket:///tmp/none.sock", "sentinel://127.0.0.1:1/0", "memory://", "redis-sentinel://127.0.0.1:1/0"],
)
def test_a_fallback_that_the_client_cannot_read_says_what_to_set(broker: str) -> None:
    with pytest.raises(ConfigurationError, match="redbeat_redis_url"):
        put(app_with(broker))
