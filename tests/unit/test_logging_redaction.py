"""No secret gets past the mask, in any of the shapes that logs and errors put it in; what is no secret stays."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from app.core.redaction import MASK, Redactor
from app.core.settings import Settings

CANARY = "canary9f2c7d"
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjo3fQ.c2lnbmF0dXJl"
PAIR = {"access_token": CANARY, "refresh_token": CANARY}


@pytest.mark.parametrize(
    "text",
    [
        f"access_token={CANARY}",
        f"Cookie: access_token={CANARY}; refresh_token={CANARY}; other={CANARY}",
        f"set-cookie: session={CANARY}; Path=/; HttpOnly",
        f"Authorization: Bearer {CANARY}",
        f"authorization: Basic {CANARY}==",
        f"got Bearer {CANARY}xx from",
        f"redis://:{CANARY}@db:6379/0",
        f"postgresql+psycopg://vd2:{CANARY}#x@y@db/postgres",
        f"GET /api?x=1&token={CANARY}&y=2",
        f"{PAIR}",
        json.dumps(PAIR),
        json.dumps(json.dumps(PAIR)),
        json.dumps(json.dumps(json.dumps(PAIR))),
        f"{[(b'cookie', CANARY.encode()), (b'authorization', CANARY.encode())]}",
        f"('password', '{CANARY}')",
        f'{{"password": "quote\\" {CANARY}"}}',
        f"PASSWORD = {CANARY}",
        f"aes_key_3='{CANARY}'",
        f"SENTRY_DSN=https://{CANARY}@sentry.example/1",
        f"x-api-key: {CANARY}",
        f"Settings(redis_password=SecretStr('{CANARY}'), secret_key='{CANARY}')",
        f"csrftoken={CANARY}; sessionid={CANARY}",
        f"password=\x1b{CANARY}",
    ],
)
def test_by_the_words_around_it(text: str) -> None:
    masked = Redactor().text(text)
    assert CANARY not in masked
    assert MASK in masked


@pytest.mark.parametrize("text", [WEB_TOKEN, f"tokens {WEB_TOKEN}, {WEB_TOKEN}", WEB_TOKEN[:30], f"b'{WEB_TOKEN}'"])
def test_by_its_form(text: str) -> None:
    assert "eyJ" not in Redactor().text(text)


@pytest.mark.parametrize("secret", ["p#ss w:rd@/?'x", 'qu"ote\\s', "비밀번호열쇠", "plain-secret"])
def test_our_own_wherever_it_stands(secret: str) -> None:
    redactor = Redactor([secret])
    settings = Settings(redis_host="r", redis_url=None, redis_password=SecretStr(secret))
    shapes = [secret, repr(secret), json.dumps(secret), json.dumps({"x": secret}, ensure_ascii=False)]
    for text in (*shapes, settings.model_copy(update={"redis_url": None}).client_url):
        masked = redactor.text(f"said {text} aloud")
        assert MASK in masked
        assert secret not in masked


def test_it_knows_the_settings_secrets_but_no_samples() -> None:
    redactor = Redactor.of(
        Settings(
            redis_url=SecretStr("redis://:pa%23ss-word@h/0"),
            postgres_password=SecretStr("postgres"),
            aes_key_0=SecretStr("Vt9mQ2xK7bLr4nZs8cWy3pHd6gJf1eTa"),
            sentry_dsn=SecretStr("https://0123456789abcdef@sentry.example/1"),
        )
    )
    masked = redactor.text("pa#ss-word pa%23ss-word Vt9mQ2xK7bLr4nZs8cWy3pHd6gJf1eTa 0123456789abcdef")
    assert masked == " ".join([MASK] * 4)
    assert redactor.text("the postgres server") == "the postgres server"


@pytest.mark.parametrize(
    "text",
    [
        "Task app.tasks.stats.refresh_user_stats[1b2c] succeeded in 1.2s: {'users': 1, 'posts': 3}",
        "The velog tokens of user 7 are not accepted (velog refused them); the user must sign in again.",
        "Scheduler entry changed: 주간업데이트",
        "NAVER_LAND_TOKEN_FILE=/run/secrets/land",
        "reads livebeat:events from redis://127.0.0.1:6379/0",
        "GET http://127.0.0.1:8000/api/schedule?limit=20 200",
        "vd2:queue:stats-refresh:processing",
        "12:30:05 a user@host wrote",
        '{"userId": 123, "requestedAt": "2025-12-12T10:30:00Z", "retryCount": 0}',
        "password: None",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "data",
    [
        PAIR,
        {"headers": {"Cookie": CANARY, "authorization": [CANARY]}},
        {"values": [{"value": f"password={CANARY}"}]},
        {"a": {"b": [{"REDIS_PASSWORD": CANARY}]}, "c": (f"redis://:{CANARY}@h",)},
    ],
)
def test_plain_data(data: Any) -> None:
    assert CANARY not in json.dumps(Redactor().data(data))


def test_data_keeps_its_shape() -> None:
    data = {"a": [1, 2.5, None, True, {"b": "text"}], "password": ""}
    assert Redactor().data(data) == data


def test_a_long_line_costs_little() -> None:
    for piece in ("a-", "token", "ey", "password=", "\\\\", "://:", "x" * 50 + " "):
        Redactor(["known-secret"]).text(piece * 20_000)
