"""Secrets that everybody knows are refused in production: those of documents and samples, and AES keys that are none.

In development they are accepted, since that is what they are for. A problem names the setting, never its value.
"""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from app.core.settings_problems import Problem

#: As they stand in documents, in sample files, and in everybody's first try. Compared without case.
SAMPLES = frozenset(
    {
        *("notion-check-plz", "vd2", "postgres", "redis", "livebeat", "password", "passwd", "secret", "secret_key"),
        *("changeme", "change-me", "change_me", "changethis", "change-this", "change_this", "replaceme", "example"),
        *("test", "admin", "root", "guest", "foobared", "letmein", "qwerty", "1234", "12345", "123456", "12345678"),
        *("your-password", "your_password", "yourpassword", "your-secret-key", "todo", "xxx", "none", "..."),
    }
)
#: Anywhere in a longer secret, these show that nobody has replaced it.
_MARKS = ("changeme", "change-me", "change_me", "changethis", "example", "sample", "placeholder", "django-insecure")
_ADDRESSES = ("redis_url", "database_url")
_AES_BYTES = 32
_FEWEST_CHARACTERS = 8


def is_sample(secret: str) -> bool:
    """Whether a password or key is one that everybody knows."""
    plain = secret.strip().lower()
    return plain in SAMPLES or any(mark in plain for mark in _MARKS)


def password_in(address: str) -> str:
    """The password in an address; empty where there is none."""
    return unquote(urlsplit(address).password or "")


def sample_problems(secrets: Mapping[str, str]) -> list[Problem]:
    """Every secret that production must not run with; `secrets` are the given ones by field name."""
    found = []
    for field, text in secrets.items():
        why = None
        if field.startswith("aes_key_"):
            why = _aes_problem(text)
        elif is_sample(password_in(text) if field in _ADDRESSES else text):
            why = ("is a sample that everybody knows. Set a secret of your own.", _SAMPLE_KO)
        if why:
            found.append(Problem(field.upper(), *why))
    return found


_SAMPLE_KO = "널리 알려진 예시 값입니다. 직접 만든 비밀 값으로 바꾸세요."


def _aes_problem(key: str) -> tuple[str, str] | None:
    if len(key.encode("utf-8")) != _AES_BYTES:
        return f"must be exactly {_AES_BYTES} bytes long.", f"정확히 {_AES_BYTES}바이트여야 합니다."
    repeats = key in (key + key)[1:-1]
    if repeats or len(set(key)) < _FEWEST_CHARACTERS or is_sample(key):
        return "is too easy to guess. Use the key that the stored tokens were encrypted with, or a random one.", (
            "추측하기 쉬운 값입니다. 저장된 토큰을 암호화한 키 또는 무작위 키를 사용하세요."
        )
    return None
