"""velog tokens at rest, in the format that the back office and its Node API both read and write.

AES-256-CBC, PKCS#7, a random 16-byte IV; stored as standard base64 of IV || ciphertext. The key is the text of
`AES_KEY_<n>` as UTF-8 bytes (exactly 32, never hex-decoded), n = (group_id % 100) % 10. The format has no MAC, so a
wrong key is told from a right one by what comes out: a token is three base64url parts joined by dots.
"""

import base64
import binascii
import os
import re

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from app.core.errors import NotConfiguredError
from app.core.settings import Settings

_BLOCK_BYTES = 16
_KEY_BYTES = 32
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class UnreadableTokenError(ValueError):
    """A stored token isn't in the format, or was encrypted with another key. Never says what it holds."""


def is_token(text: str) -> bool:
    """Whether `text` has the form of a JSON web token."""
    return _TOKEN.fullmatch(text) is not None


def key_for(group_id: int, settings: Settings) -> bytes:
    """The key of a group's tokens.

    Raises:
        NotConfiguredError: the setting is missing or isn't 32 bytes long.
    """
    index = (group_id % 100) % 10
    key = (settings.aes_key(index) or "").encode("utf-8")
    if len(key) != _KEY_BYTES:
        wanted = f"AES_KEY_{index}" if not key else f"AES_KEY_{index} ({_KEY_BYTES} bytes)"
        raise NotConfiguredError(setting=wanted, needed_for="velog token")
    return key


def encrypt(text: str, key: bytes) -> str:
    """`text` under `key`, with a fresh IV."""
    initial = os.urandom(_BLOCK_BYTES)
    padder = PKCS7(_BLOCK_BYTES * 8).padder()
    padded = padder.update(text.encode("utf-8")) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(initial)).encryptor()
    return base64.b64encode(initial + encryptor.update(padded) + encryptor.finalize()).decode("ascii")


def decrypt(stored: str, key: bytes) -> str:
    """The token in `stored`.

    Raises:
        UnreadableTokenError: not in the format, or not a token under this key.
    """
    try:
        raw = base64.b64decode(stored, validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableTokenError("not base64") from None
    if len(raw) < 2 * _BLOCK_BYTES or len(raw) % _BLOCK_BYTES:
        raise UnreadableTokenError("not whole blocks")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(raw[:_BLOCK_BYTES])).decryptor()
    unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
    try:
        padded = decryptor.update(raw[_BLOCK_BYTES:]) + decryptor.finalize()
        text = (unpadder.update(padded) + unpadder.finalize()).decode("utf-8")
    except ValueError:
        raise UnreadableTokenError("another key") from None
    if not is_token(text):
        raise UnreadableTokenError("not a token")
    return text


def read(stored: str, key: bytes) -> str:
    """The token in `stored`, which may still be plain text: the Node API inserts first and encrypts second.

    Raises:
        UnreadableTokenError: neither a token nor one under this key.
    """
    return stored if is_token(stored) else decrypt(stored, key)
