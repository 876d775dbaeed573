"""The three lists of the old queue, and the scripts that move what is on them: each move is one step, or nothing.

Where the lists are on another server, or in another database, than the ledger, there is a fourth one, the bridges' hand:
one step can't reach both places, so a message lies there from leaving the main list until it is in the ledger and in sight.
"""

import re
import uuid
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, cast

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from app.bridge.messages import MARK, READ_BYTES, Entry, entry_of
from app.core.settings import Settings
from livebeat.connection import REPLY_TIMEOUT, Link, as_stored

#: Runs that came over the bridge and are unfinished, at most: what is beyond them waits on the main list.
UNDER_WAY = 100
_ID_LENGTH = len(f"{uuid.uuid4()} ")


class Found(NamedTuple):
    """The next message. `length` in bytes and `start` are what lies on its list; `text` is the message's own beginning."""

    length: int
    start: str
    token: str
    text: str

    @property
    def text_length(self) -> int:
        """Bytes of the message itself."""
        return self.length - (len(self.start) - len(self.text))


@dataclass(frozen=True)
class Lists:
    """The lists under one prefix. `is_apart`: they are not where the ledger is."""

    client: "redis.Redis"
    prefix: str
    is_apart: bool

    @property
    def main(self) -> str:
        """What waits; producers push at its head, consumers take from its tail."""
        return f"{self.prefix}queue:stats-refresh"

    @property
    def processing(self) -> str:
        """What is under way: ours, and what consumers of old have taken."""
        return f"{self.main}:processing"

    @property
    def failed(self) -> str:
        """What a person has to look at."""
        return f"{self.main}:failed"

    @property
    def hand(self) -> str:
        """What is between two servers."""
        return f"{self.main}:bridge"

    def next(self) -> Found | None:
        """The message to be taken now; None where none waits, or enough of ours are unfinished."""
        token = str(uuid.uuid4())
        keys = [self.main, self.processing, *([self.hand] if self.is_apart else [])]
        extra = _ID_LENGTH if self.is_apart else 0
        answer = self._script("next", keys, [MARK, UNDER_WAY, READ_BYTES + extra, f"{token} "])
        if answer is None:
            return None
        length, start = answer
        if self.is_apart:
            return Found(int(length), start, start[: _ID_LENGTH - 1], start[_ID_LENGTH:])
        return Found(int(length), start, token, start)

    def in_hand(self) -> list[Found]:
        """What lies between two servers, the next one first."""
        texts = cast("list[str]", self.client.lrange(self.hand, 0, -1)) if self.is_apart else []
        parts = [(text, text[: _ID_LENGTH - 1], text[_ID_LENGTH:]) for text in reversed(texts)]
        return [Found(len(as_stored(text)), text, token, message) for text, token, message in parts]

    def show(self, found: Found, run: str, rest: str) -> bool:
        """Make the message in hand visible as this run; False where another bridge did so."""
        arguments = [found.length, found.start, MARK + run, rest]
        return bool(self._script("show", [self.hand, self.processing], arguments))

    def reject(self, found: Found, entry: str) -> bool:
        """Set it aside; False where somebody else took it."""
        source = self.hand if self.is_apart else self.main
        return bool(self._script("reject", [source, self.failed], [found.length, found.start, entry]))

    def entries(self) -> list[Entry]:
        """Ours in `:processing`."""
        texts = cast("list[str]", self.client.lrange(self.processing, 0, -1))
        return [entry for text in texts if (entry := entry_of(text)) is not None]

    def end(self, run: str) -> bool:
        """Take a run out of sight; False where it wasn't to be seen."""
        return self._settle(run, self.failed, "")

    def fail(self, run: str, text: str) -> bool:
        """The same, and put this on `:failed`; not twice."""
        return self._settle(run, self.failed, text)

    def put_back(self, run: str, text: str) -> bool:
        """The same, and put this on the main list."""
        return self._settle(run, self.main, text)

    def refresh(self, entry: Entry, text: str) -> bool:
        """Put this in an entry's place; False where it is gone."""
        return bool(self._script("refresh", [self.processing], [entry.text, text]))

    def take(self, keys: list[Any], args: list[Any], found: Found, rest: str, coalesced: str) -> tuple[str, str]:
        """What `take.lua` answers; `keys` and `args` are `accept.lua`'s."""
        places = [self.main, self.processing, *keys]
        outcome, run = self._script("take", places, [found.length, found.start, MARK, rest, coalesced, *args])
        return outcome, run

    def _settle(self, run: str, other: str, text: str) -> bool:
        return bool(self._script("settle", [self.processing, other], [f'{MARK}{run}"', text]))

    def _script(self, name: str, keys: list[Any], args: list[Any]) -> Any:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self.client.register_script(_lua(name))
        return script(keys=keys, args=[as_stored(arg) if isinstance(arg, str) else arg for arg in args])

    @cached_property
    def _scripts(self) -> dict[str, Script]:
        return {}


def lists_of(link: Link, settings: Settings) -> Lists:
    """The old lists as the settings name them, beside the ledger or apart from it.

    Raises:
        redis.RedisError: one of the two servers doesn't answer.
    """
    theirs, prefix = settings.bridge_client_url, settings.redis_key_prefix
    if theirs is None:
        return Lists(link.client, prefix, is_apart=False)
    options: dict[str, Any] = {"decode_responses": True, "encoding_errors": "surrogateescape"}
    client = redis.Redis.from_url(theirs, socket_timeout=REPLY_TIMEOUT, retry=Retry(NoBackoff(), 0), **options)
    if _place(client) == _place(link.client):
        return Lists(link.client, prefix, is_apart=False)
    return Lists(client, prefix, is_apart=True)


def _place(client: "redis.Redis") -> tuple[str, int]:
    server = client.info("server")
    return str(server["run_id"]), int(client.connection_pool.connection_kwargs.get("db") or 0)


def _lua(name: str) -> str:
    """A script's text with what it includes: of ours, or of the engine's."""
    own = Path(__file__).with_name("lua") / f"{name}.lua"
    file = own if own.exists() else resources.files("livebeat.lua") / f"{name}.lua"
    text = file.read_text(encoding="utf-8")
    return re.sub(r"^-- include (\w+)\.lua\n", lambda found: _lua(found[1]), text, flags=re.MULTILINE)
