"""`Backfills`: begin, watch and cancel backfills, and the leading beat's part in them. Each change is one script."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, NamedTuple, cast

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from livebeat import clock
from livebeat.backfill.record import RATE, Backfill, Overlap, State, check_choices, instant, total
from livebeat.connection import Link, link
from livebeat.delivery import Run, admit
from livebeat.delivery.consumers import known_plain
from livebeat.delivery.installation import installed
from livebeat.delivery.ledger import FIRST_CHECK
from livebeat.entry import digest
from livebeat.errors import (
    BackfillNotFoundError,
    ConfigurationError,
    Language,
    LivebeatError,
    ScheduleNotFoundError,
    SpecError,
)
from livebeat.events import HARD_CAP, TERMINAL, encode
from livebeat.message import Message, build
from livebeat.spec import ScheduleSpec
from livebeat.store import ScheduleStore

logger = logging.getLogger(__name__)

#: Backfills that have ended are kept until so many newer ones have.
KEPT = 50
#: Seconds between two looks at what is to be sent, and that one of them may take: the tick waits for it.
_PERIOD, _ROUND = 1.0, 0.02
#: Seconds between two events of progress.
_TELL_PERIOD = 5.0
_ENDS = tuple(kind.removeprefix("run.") for kind in TERMINAL)
#: Answers of the script.
_MOVED, _PLAIN = 1, -2


class _Sending(NamedTuple):
    run: Run
    message: Message
    expires_at: str


class Backfills:
    """The backfills of one Celery app. redis.RedisError passes through where Redis doesn't answer."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._store = ScheduleStore(app)
        self._next_look = 0.0

    @property
    def _link(self) -> Link:
        return link(self._app)

    def start(
        self,
        name: str,
        start: datetime,
        end: datetime,
        *,
        overlap: Overlap | None = None,
        rate: float = RATE,
        dry_run: bool = False,
        by: str = "",
        origin: str = "python",
    ) -> Backfill:
        """Have the beat send the slots of a schedule from `start` to `end`, both included: at most `rate` runs a second.

        `overlap`: `allow`, or `one_at_a_time`, where each run waits until no run of the schedule is under way; None: as
        the schedule's own rule asks. It works while the schedule is paused, too. `dry_run`: only say what would be sent.

        Raises:
            ScheduleNotFoundError: none of this name.
            SpecError: range, rate or overlap can't be used, or no slot lies there, or too many.
            ConfigurationError: messages of this app, or of the schedule's queue, don't go through the ledger.
        """
        stored = self._store.get(name)
        first, last = instant("start", start), instant("end", end)
        check_choices(overlap, rate)
        now = self._link.now()
        backfill = Backfill(
            id=str(uuid.uuid4()),
            name=name,
            start=first,
            end=last,
            total=total(stored.spec, first, last),
            overlap=overlap or ("allow" if stored.spec.overlap == "allow" else "one_at_a_time"),
            rate=rate,
            spec=stored.spec,
            incarnation=stored.incarnation,
            revision=stored.revision,
            at=now,
            by=by,
            origin=origin,
            free_at=clock.to_epoch(now),
        )
        self._check_ledger(backfill)
        if dry_run:
            return replace(backfill, id="", state="planned")
        self._move(None, backfill, "begin", "backfill.started")
        self._forget_old()
        return backfill

    def list(self, name: str | None = None) -> list[Backfill]:
        """All backfills, or a schedule's, the newest first."""
        found = [self._counted(one) for _, one in self._read_all() if name in (None, one.name)]
        return sorted(found, key=lambda one: one.at, reverse=True)

    def get(self, backfill_id: str) -> Backfill:
        """One backfill.

        Raises:
            BackfillNotFoundError: none of this id.
        """
        return self._counted(self._read(backfill_id)[1])

    def cancel(self, backfill_id: str, *, by: str = "", origin: str = "python") -> Backfill:
        """Send no more of it; runs that were sent go on. One that has ended stays as it is. Returns it as it is then.

        Raises:
            BackfillNotFoundError: none of this id.
        """
        who = by or origin
        while True:
            text, backfill = self._read(backfill_id)
            if backfill.state != "running":
                return backfill
            ended = self._ended(backfill, "cancelled", {"en": f"cancelled by {who}", "ko": f"{who}이(가) 취소했습니다"})
            if self._move(text, ended, "end", "backfill.cancelled") == _MOVED:
                return ended

    def work(self) -> bool:
        """The leading beat's part: send what may be sent now, for a moment at most. Returns whether more may be at once."""
        if clock.monotonic() < self._next_look:
            return False
        running = [(text, one) for text, one in self._read_all() if one.state == "running"]
        more = False
        if running:
            now = clock.to_epoch(self._link.now())
            until = clock.monotonic() + _ROUND
            for text, one in sorted(running, key=lambda pair: pair[1].free_at):
                more |= self._go_on(text, one, now, until)
        self._next_look = 0.0 if more else clock.monotonic() + _PERIOD
        return more

    def _go_on(self, text: str, backfill: Backfill, now: float, until: float) -> bool:
        """Send a few of one; whatever is wrong with it ends it, not the beat. Returns whether it may send more at once."""
        try:
            self._check_schedule(backfill)
            while (following := self._send_next(text, backfill, now)) is not None:
                text, backfill = following.encode(), following
                if clock.monotonic() >= until:  # looked at last: a slow moment must not leave each look without a step
                    return True
        except Exception as error:
            if _is_away(error):
                raise
            self._give_up(text, backfill, error)
        return False

    def _send_next(self, text: str, backfill: Backfill, now: float) -> Backfill | None:
        """Send the next slot that is due to be sent; None where it has to wait, or none is left."""
        slot = next(backfill.slots(), None)
        if slot is None:
            self._finish(text, backfill)
            return None
        if backfill.free_at > now:
            return None
        tells = now - backfill.told_at >= _TELL_PERIOD
        following = replace(
            backfill,
            cursor=slot,
            sent=backfill.sent + 1,
            free_at=max(backfill.free_at, now - _PERIOD) + 1 / backfill.rate,
            told_at=now if tells else backfill.told_at,
            ended=self._ends_of(backfill.id) if tells else backfill.ended,
        )
        sending, plain = self._sending(backfill, slot, now), known_plain(self._link)
        if plain.holds(sending.message.queue):
            plain.read()
            return None  # until the worker that would end none of its runs is gone
        answer = self._move(text, following, "send", "backfill.progress" if tells else "", sending)
        if answer == _PLAIN:
            plain.read()
        return following if answer == _MOVED else None

    def _sending(self, backfill: Backfill, slot: datetime, now: float) -> _Sending:
        spec = cast("ScheduleSpec", backfill.spec)
        run = Run(
            run=str(uuid.uuid5(uuid.UUID(backfill.id), slot.isoformat())),
            task=spec.task,
            schedule=spec.name,
            slot=slot.isoformat(),
            revision=backfill.revision,
            kind="backfill",
            parent=backfill.id,
        )
        message = build(
            self._app,
            spec.task,
            spec.args,
            spec.kwargs,
            run_id=run.run,
            headers=run.headers,
            options=spec.message_options,
        )
        expires = spec.options.get("expires")
        return _Sending(run, message, f"{now + expires:.3f}" if isinstance(expires, int | float) else "")

    def _move(
        self,
        text: str | None,
        backfill: Backfill,
        step: Literal["begin", "send", "end"],
        event: str,
        sending: _Sending | None = None,
    ) -> int:
        """One step of the script, from the record as read (None: there is none) to the new one; what it answers."""
        keys = self._link.keys
        read = digest(text) if text is not None else ""
        arguments: list[Any] = [backfill.id, read, backfill.encode(), step, event, encode(backfill.told()), HARD_CAP]
        if sending is not None:
            run, message, expires_at = sending
            arguments += [run.run, message.queue, message.text, message.more_json]
            arguments += [encode(run.facts(queue=message.queue, attempt=0)), expires_at, backfill.name]
            arguments += ["1" if backfill.overlap == "one_at_a_time" else "", known_plain(self._link).text]
            arguments += [self._link.broker_db, FIRST_CHECK, keys.run("")]
        places = [keys.backfills, keys.children(backfill.id), keys.ledger, keys.events, keys.running, keys.plain]
        places.append(keys.run(sending.run.run if sending else backfill.id))
        return int(self._link.script("backfill", places, arguments))

    def _finish(self, text: str, backfill: Backfill) -> None:
        """End it, once none of its runs is under way any more."""
        keys, client = self._link.keys, self._link.client
        counts = cast("dict[str, str]", client.hgetall(keys.children(backfill.id)))
        some_open = int(counts.get("open", 0)) > int(counts.get("own", 0))
        # A run whose entry was given up as unreadable is never counted down.
        if some_open and client.zlexcount(keys.running, f"[{backfill.name}\n", f"({backfill.name}\v"):
            return
        self._move(text, self._ended(backfill, "finished", {}), "end", "backfill.finished")

    def _give_up(self, text: str, backfill: Backfill, error: Exception) -> None:
        told = error if isinstance(error, LivebeatError) else LivebeatError(reason=f"{type(error).__name__}: {error}")
        ended = self._ended(backfill, "cancelled", {"en": told.text("en"), "ko": told.text("ko")})
        if self._move(text, ended, "end", "backfill.cancelled") == _MOVED:
            logger.error("The backfill %s of %s is cancelled: %s", backfill.id, backfill.name, told)

    def _ended(self, backfill: Backfill, state: State, why: Mapping[Language, str]) -> Backfill:
        ends = self._ends_of(backfill.id)
        return replace(backfill, state=state, ended=ends, ended_at=self._link.now(), why=why, spec=None)

    def _check_schedule(self, backfill: Backfill) -> None:
        """Refuse to go on for a schedule that is gone, or may not be dispatched any more.

        Raises:
            LivebeatError: why.
        """
        try:
            incarnation = self._store.get(backfill.name).incarnation
        except ScheduleNotFoundError:
            incarnation = None
        except SpecError:  # set aside, but there
            incarnation = ""
        if incarnation is None or (incarnation and backfill.incarnation not in ("", incarnation)):
            raise LivebeatError(
                reason_en="the schedule was deleted while its backfill was under way",
                reason_ko="백필이 진행되는 동안 스케줄이 삭제되었습니다",
            )
        admit(self._app, cast("ScheduleSpec", backfill.spec))

    def _check_ledger(self, backfill: Backfill) -> None:
        admit(self._app, cast("ScheduleSpec", backfill.spec))
        if not installed(self._app):
            raise ConfigurationError(
                reason_en="a backfill goes through the ledger, and this app did not call livebeat.install(app); call it where "
                "the app is made, and start beat and workers again",
                reason_ko="백필은 원장을 거치는데 이 앱은 livebeat.install(app)을 호출하지 않았습니다. 앱을 만드는 곳에서 호출한 뒤 "
                "Beat와 Worker를 다시 시작하세요",
            )
        plain = known_plain(self._link)
        plain.read()
        queue = self._sending(backfill, backfill.start, 0.0).message.queue
        if plain.holds(queue):
            raise ConfigurationError(
                reason_en=f"a backfill goes through the ledger, and a worker without livebeat.install consumes queue {queue!r}. "
                "`livebeat status` names it: stop it, or start it with the app that calls livebeat.install",
                reason_ko=f"백필은 원장을 거치는데, livebeat.install 없이 실행된 Worker가 큐 {queue!r}을(를) 처리하고 있습니다. "
                "`livebeat status`에서 확인한 뒤 종료하거나 livebeat.install을 호출하는 앱으로 다시 시작하세요",
            )

    def _read(self, backfill_id: str) -> tuple[str, Backfill]:
        text = cast("str | None", self._link.client.hget(self._link.keys.backfills, backfill_id))
        found = Backfill.decode(text) if text else None
        if text is None or found is None:
            raise BackfillNotFoundError(id=backfill_id)
        return text, found

    def _read_all(self) -> Sequence[tuple[str, Backfill]]:
        texts = cast("list[str]", self._link.client.hvals(self._link.keys.backfills))
        return [(text, found) for text in texts if (found := Backfill.decode(text)) is not None]

    def _counted(self, backfill: Backfill) -> Backfill:
        """With the ends of its runs up to now."""
        return replace(backfill, ended=self._ends_of(backfill.id)) if backfill.state == "running" else backfill

    def _ends_of(self, backfill_id: str) -> dict[str, int]:
        values = cast("Any", self._link.client.hmget(self._link.keys.children(backfill_id), _ENDS))
        return {end: int(value) for end, value in zip(_ENDS, values, strict=True) if value}

    def _forget_old(self) -> None:
        ended = sorted((one.ended_at, one.id) for _, one in self._read_all() if one.ended_at is not None)
        if old := [backfill_id for _, backfill_id in ended[:-KEPT]]:
            self._link.client.hdel(self._link.keys.backfills, *old)


def _is_away(error: Exception) -> bool:
    """Whether the server is away, which passes. kombu wraps whatever happened in a publish."""
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    return isinstance(cause, redis.RedisError | OSError) and "WRONGTYPE" not in str(cause)
