"""velog tokens at rest, in the format that the back office and its Node API both read and write.

AES-256-CBC, PKCS#7, a random 16-byte IV; stored as standard base64 of IV || ciphertext. The key is the text of
`AES_KEY_<n>` as UTF-8 bytes (exactly 32, never hex-decoded), n = (group_id % 100) % 10. The format has no MAC, so a
wrong key is told from a right one by what comes out: a token is three base64url parts joined by dots.

A key is replaced by giving the new one as `AES_KEY_<n>_NEXT`: what either encrypted is read, and the new one writes.
"""

import base64
import binascii
import os
import re
from dataclasses import dataclass

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


def key_index(group_id: int) -> int:
    """The number of a group's key, 0 to 9."""
    return (group_id % 100) % 10


@dataclass(frozen=True)
class Keys:
    """The keys of a group's tokens: any of `readable` may have encrypted one, `writing` encrypts from now on."""

    readable: tuple[bytes, ...]

    @property
    def writing(self) -> bytes:
        """The next key where there is one, else the current one."""
        return self.readable[-1]

    def read(self, stored: str) -> str:
        """The token in `stored`, which may still be plain text: the Node API inserts first and encrypts second.

        Raises:
            UnreadableTokenError: neither a token nor one under these keys.
        """
        if is_token(stored):
            return stored
        for key in self.readable[:-1]:
            try:
                return decrypt(stored, key)
            except UnreadableTokenError:
                continue
        return decrypt(stored, self.writing)

    def encrypt(self, token: str) -> str:
        """`token` as it is stored from now on."""
        return encrypt(token, self.writing)

    def holds(self, stored: str, token: str) -> bool:
        """Whether `stored` is `token` under the writing key: nothing has to be written."""
        try:
            return decrypt(stored, self.writing) == token
        except UnreadableTokenError:
            return False


def keys_for(group_id: int, settings: Settings) -> Keys:
    """The keys of a group's tokens.

    Raises:
        NotConfiguredError: a setting is missing or isn't 32 bytes long.
    """
    index = key_index(group_id)
    name = f"AES_KEY_{index}"
    upcoming = settings.aes_key_next(index)
    current = _key(settings.aes_key(index), name)
    return Keys((current,) if upcoming is None else (current, _key(upcoming, f"{name}_NEXT")))


def _key(text: str | None, name: str) -> bytes:
    key = (text or "").encode("utf-8")
    if len(key) != _KEY_BYTES:
        raise NotConfiguredError(setting=name if not key else f"{name} ({_KEY_BYTES} bytes)", needed_for="velog token")
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
