"""Tokens at rest: the format that the back office and its Node API share."""

import base64
import contextlib
import os
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.core.errors import NotConfiguredError
from app.core.settings import Settings
from app.domains.velog import tokens

KEY_TEXT = "0123456789abcdef0123456789abcdef"
KEY = KEY_TEXT.encode()
NEXT = b"fedcba9876543210fedcba9876543210"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJlLXBhcnQ"
# printf IV; printf TOKEN | openssl enc -aes-256-cbc -K <hex of the key's text> -iv 000102…0f; all of it | base64
BY_OPENSSL = (
    "AAECAwQFBgcICQoLDA0OD3JTGkv9OJs9wOlIXDVBBRdYsksL+jYec2XBqWPhT2Yv6nGLzH82dp++IGKTVUa5itdUUJqwe5IAiX31EuJKquY="
)
SHORT_BY_OPENSSL = "AAECAwQFBgcICQoLDA0ODwCk13NP9LXHfm8yduJyg/k="  # a.b.c
PROSE_BY_OPENSSL = "AAECAwQFBgcICQoLDA0OD5tHq5EB1gwfZosOc25DXZk="  # not a token

jwt_part = st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True)


def test_what_openssl_encrypted_is_read() -> None:
    assert tokens.decrypt(BY_OPENSSL, KEY) == TOKEN
    assert tokens.decrypt(SHORT_BY_OPENSSL, KEY) == "a.b.c"


def test_what_decrypts_to_something_else_is_refused() -> None:
    with pytest.raises(tokens.UnreadableTokenError, match="not a token"):
        tokens.decrypt(PROSE_BY_OPENSSL, KEY)


@given(st.tuples(jwt_part, jwt_part, jwt_part).map(".".join))
def test_a_token_survives_and_never_looks_the_same_twice(token: str) -> None:
    one, other = tokens.encrypt(token, KEY), tokens.encrypt(token, KEY)
    assert one != other
    assert tokens.decrypt(one, KEY) == tokens.decrypt(other, KEY) == token


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(tokens.UnreadableTokenError):
        assert tokens.is_token(tokens.decrypt(base64.b64encode(raw).decode(), KEY))


@given(st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
def test_another_key_never_yields_a_token(key: bytes) -> None:
    with pytest.raises(tokens.UnreadableTokenError):
        tokens.decrypt(BY_OPENSSL, key)


@pytest.mark.parametrize("stored", ["", "=", "not base64!", "AAAA", BY_OPENSSL[:-8], BY_OPENSSL + "\n", TOKEN])
def test_what_is_not_in_the_format_is_refused_without_being_shown(stored: str) -> None:
    with pytest.raises(tokens.UnreadableTokenError) as caught:
        tokens.decrypt(stored, KEY)
    assert not stored or stored not in str(caught.value)


def test_plain_tokens_are_read_as_they_are() -> None:
    assert tokens.Keys((KEY,)).read(TOKEN) == TOKEN
    assert tokens.Keys((KEY,)).read(BY_OPENSSL) == TOKEN


def test_while_a_key_is_replaced_both_read_and_the_next_one_writes() -> None:
    old, new = tokens.Keys((KEY,)), tokens.Keys((NEXT,))
    both = tokens.Keys((KEY, NEXT))
    assert both.read(old.encrypt(TOKEN)) == both.read(new.encrypt(TOKEN)) == both.read(TOKEN) == TOKEN
    assert new.read(both.encrypt(TOKEN)) == TOKEN
    assert both.holds(new.encrypt(TOKEN), TOKEN)
    for other in (old.encrypt(TOKEN), TOKEN, new.encrypt("a.b.c")):
        assert not both.holds(other, TOKEN)
    with pytest.raises(tokens.UnreadableTokenError):
        both.read(tokens.encrypt(TOKEN, os.urandom(32)))
    with pytest.raises(tokens.UnreadableTokenError):
        old.read(both.encrypt(TOKEN))


def openssl(way: str, key: bytes, initial: bytes, given: bytes) -> bytes:
    argv = ["openssl", "enc", way, "-aes-256-cbc", "-K", key.hex(), "-iv", initial.hex()]
    return subprocess.run(argv, input=given, capture_output=True, check=True).stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
@pytest.mark.parametrize("token", [TOKEN, "a.b.c", ".".join("x" * 500 for _ in range(3)), "eyJh.bG" + "c" * 8 + ".i"])
def test_openssl_reads_what_we_write_and_the_other_way_round(token: str) -> None:
    stored = base64.b64decode(tokens.encrypt(token, KEY))
    assert openssl("-d", KEY, stored[:16], stored[16:]).decode() == token
    initial = os.urandom(16)
    theirs = initial + openssl("-e", KEY, initial, token.encode())
    assert tokens.decrypt(base64.b64encode(theirs).decode(), KEY) == token


@pytest.mark.parametrize("length", [5, 16, 200])
def test_a_wrong_key_is_never_taken_for_the_right_one(length: int) -> None:
    """The padding alone would let one wrong key in 256 pass. 100,000 in all."""
    token = "a." + "b" * (length - 4) + ".c"
    stored = tokens.encrypt(token, KEY)
    for _ in range(33_334):
        with pytest.raises(tokens.UnreadableTokenError):
            tokens.decrypt(stored, os.urandom(32))


@pytest.mark.parametrize(("group", "index"), [(1, 1), (10, 0), (105, 5), (999, 9), (1000, 0), (25, 5)])
def test_the_group_picks_the_key(group: int, index: int) -> None:
    settings = Settings(**{f"aes_key_{n}": SecretStr(str(n) * 32) for n in range(10)})
    assert tokens.keys_for(group, settings).readable == ((str(index) * 32).encode(),)


def test_the_key_is_its_text_not_its_hex() -> None:
    korean = "열쇠0123456789abcdef0123456789"
    korean += "!" * (32 - len(korean.encode()))
    assert tokens.keys_for(3, Settings(aes_key_3=SecretStr(korean))).writing == korean.encode()


def test_the_next_key_of_a_group_writes() -> None:
    settings = Settings(aes_key_3=SecretStr("3" * 32), aes_key_3_next=SecretStr("n" * 32))
    assert tokens.keys_for(103, settings).readable == (b"3" * 32, b"n" * 32)
    assert tokens.keys_for(103, settings).writing == b"n" * 32


def test_a_misshapen_next_key_is_named() -> None:
    settings = Settings(aes_key_3=SecretStr("3" * 32), aes_key_3_next=SecretStr("short"))
    with pytest.raises(NotConfiguredError, match="AES_KEY_3_NEXT"):
        tokens.keys_for(3, settings)


@pytest.mark.parametrize("key", [None, "short", "x" * 33, "가" * 32])
def test_a_missing_or_misshapen_key_is_named(key: str | None) -> None:
    settings = Settings().model_copy(update={"aes_key_7": SecretStr(key) if key else None})
    with pytest.raises(NotConfiguredError, match="AES_KEY_7") as caught:
        tokens.keys_for(7, settings)
    assert key is None or key not in str(caught.value)
