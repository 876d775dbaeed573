"""Messages without Celery's call path: a shape is built by Celery once, and from then on only what differs is put in.

A shape is a task with its options. Its template is a message that Celery built, cut open where the run's id, slot,
name, arguments, tag and expiry stand, and checked against a second message built for another run. Whatever may make
messages of one shape differ in another way goes the slow path, `message.build`, and `slow` says why.
"""

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from json.encoder import encode_basestring_ascii as quoted
from operator import itemgetter
from typing import Any, NamedTuple, cast

from celery import Celery, signals
from celery import Task as CeleryTask
from celery.app import routes
from celery.utils.saferepr import saferepr
from kombu.utils.json import JSONEncoder
from kombu.utils.json import dumps as kombu_dumps

from livebeat import clock
from livebeat.delivery.ledger import Run
from livebeat.events import quick
from livebeat.message import KIND_HEADER, REVISION_HEADER, SCHEDULE_HEADER, SLOT_HEADER, Message, build
from livebeat.spec import ScheduleSpec

_KNOWN_OPTIONS = frozenset({"queue", "priority", "expires", "time_limit", "soft_time_limit", "ignore_result"})
_SHAPES = 1000
_SIGNALS = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
#: The repr of a few short texts and numbers (or of nothing), which is Celery's too.
_SHORT = r"(?:'[A-Za-z0-9_-]{1,40}'|-?\d{1,12}|None|True|False)"
_PLAIN = re.compile(rf"\{{{_SHORT}: {_SHORT}(?:, {_SHORT}: {_SHORT}){{0,7}}\}}")
_FEW = 8
_encode = quick(JSONEncoder())


class _Values(NamedTuple):
    """What differs between the messages of one shape, as JSON text."""

    run: str
    slot: str
    schedule: str
    revision: str
    body: str
    argsrepr: str
    kwargsrepr: str
    expires: str
    tag: str


class _Template(NamedTuple):
    queue: str
    more: tuple[tuple[str, ...], ...]
    form: str
    holes: Callable[[_Values], Any]
    embed: str
    check: Callable[..., Any] | None

    def text(self, values: _Values) -> str:
        return cast("str", self.form % self.holes(values))


class Templates:
    """The messages of one app's schedules."""

    def __init__(self, app: Celery, *, ledgered: bool) -> None:
        self._app, self._ledgered = app, ledgered
        self._tags, self._tag = str(uuid.uuid4()), count()
        self._levels = app.conf.task_repr_maxlevels
        self._sizes = app.amqp.argsrepr_maxsize, app.amqp.kwargsrepr_maxsize
        self._of: dict[tuple[str, str], _Template | None] = {}
        #: Task → why its messages take the slow path.
        self.slow: dict[str, str] = {}

    def message(self, spec: ScheduleSpec, run: Run, now: datetime) -> Message:
        """The message of one run, dispatched at `now`.

        Raises:
            TypeError: the arguments don't fit the registered task's signature.
            ConfigurationError: see `message.build`.
        """
        if receivers := _receivers():
            self.slow[""] = receivers
            return self._built(spec, run)
        options = spec.message_options
        shape = (spec.task, json.dumps(options, sort_keys=True) if options else "")
        if shape not in self._of:
            if len(self._of) >= _SHAPES:
                self._of.clear()
            self._of[shape] = self._opened(spec, run)
        template = self._of[shape]
        if template is None:
            return self._built(spec, run)
        if template.check is not None:
            template.check(*spec.args, **spec.kwargs)
        text = template.text(self._values(spec, run, now, template))
        return Message(run.run, spec.task, template.queue, text, template.more)

    def _built(self, spec: ScheduleSpec, run: Run) -> Message:
        return build(
            self._app,
            spec.task,
            spec.args,
            spec.kwargs,
            run_id=run.run,
            headers=headers_of(run),
            options=spec.message_options,
            ledgered=self._ledgered,
        )

    def _values(self, spec: ScheduleSpec, run: Run, now: datetime, template: "_Template") -> _Values:
        args = _encode(list(spec.args)) if spec.args else "[]"
        arguments = f"[{args}, {_encode(dict(spec.kwargs))}, {template.embed}]"
        expires = spec.options.get("expires")
        return _Values(
            run=quoted(run.run),
            slot=quoted(run.slot or ""),
            schedule=quoted(run.schedule or ""),
            revision=str(run.revision),
            body=f'"{base64.b64encode(arguments.encode()).decode()}"',
            argsrepr=quoted(_repr(list(spec.args) or (), self._sizes[0], self._levels)),
            kwargsrepr=quoted(_repr(dict(spec.kwargs), self._sizes[1], self._levels)),
            expires=quoted(self._expiry(now, expires)) if expires else "null",
            tag=f'"{self._tags}-{next(self._tag)}"',
        )

    def _expiry(self, now: datetime, seconds: float) -> str:
        return clock.from_epoch(clock.to_epoch(now) + seconds).astimezone(self._app.timezone).isoformat()

    def _opened(self, spec: ScheduleSpec, run: Run) -> _Template | None:
        reason = _reason(self._app, spec)
        if reason is None:
            template = self._cut(spec, run)
            reason = "its message could not be taken apart" if template is None else None
            if template is not None:
                reason = self._difference(template, spec)
                if reason is None:
                    self.slow.pop(spec.task, None)
                    return template
        self.slow[spec.task] = reason or ""
        return None

    def _cut(self, spec: ScheduleSpec, run: Run) -> _Template | None:
        """A real message with marks in the place of what differs."""
        probe = _probe(run)
        message = self._built(spec, probe)
        envelope = json.loads(message.text)
        if envelope["properties"]["delivery_info"].get("exchange") or any(c[0] == "LPUSH" for c in message.more):
            return None  # kombu asks the binding table where such a message goes, each time
        marks = _Values(*(f"livebeat-{uuid.uuid4().hex}" for _ in _Values._fields))
        known = {probe.run: marks.run, probe.slot: marks.slot, probe.schedule: marks.schedule}
        envelope = _marked(envelope, {**known, probe.revision: marks.revision})
        *_, embed = json.loads(base64.b64decode(envelope["body"]))
        envelope["body"] = marks.body
        headers = envelope["headers"]
        headers["argsrepr"], headers["kwargsrepr"] = marks.argsrepr, marks.kwargsrepr
        if headers["expires"] is not None:
            headers["expires"] = marks.expires
        envelope["properties"]["delivery_tag"] = marks.tag
        task = self._app.tasks.get(spec.task)
        check = task.__header__ if task is not None and task.typing else None
        return _template(kombu_dumps(envelope), marks, message, _encode(embed), check)

    def _difference(self, template: _Template, spec: ScheduleSpec) -> str | None:
        """In what the template differs from what Celery builds for another run; None where it doesn't."""
        probe = _probe(None)
        fresh = self._built(spec, probe)
        envelope = json.loads(fresh.text)
        values = self._values(spec, probe, clock.now(), template)._replace(
            expires=json.dumps(envelope["headers"]["expires"]), tag=quoted(envelope["properties"]["delivery_tag"])
        )
        ours = template.text(values)
        if (ours, template.queue, template.more) == (fresh.text, fresh.queue, fresh.more):
            return None
        theirs, cut = envelope["headers"], json.loads(ours)["headers"]
        names = sorted(name for name in theirs.keys() | cut.keys() if theirs.get(name) != cut.get(name))
        return f"Celery builds its messages differently from run to run ({', '.join(names) or 'outside its headers'})"


def _repr(value: Any, most: int, levels: int) -> str:
    """Celery's `saferepr`, which is Python's own repr, thirty times slower, where nothing is long, nested or odd."""
    if len(value) <= _FEW and len(text := repr(value)) <= most and (not value or _PLAIN.fullmatch(text)):
        return text
    return str(saferepr(value, most, levels))


def headers_of(run: Run) -> dict[str, Any]:
    """The headers that a scheduled message carries beside Celery's own; the first two are what other beats send."""
    return {
        "periodic_task_name": run.schedule,
        "celery_beat_task": True,
        SCHEDULE_HEADER: run.schedule,
        SLOT_HEADER: run.slot,
        REVISION_HEADER: run.revision,
        KIND_HEADER: run.kind,
    }


def _probe(run: Run | None) -> Run:
    """A run like none other, so that each place where one of its facts stands is found."""
    token = uuid.uuid4()
    kind = run.kind if run else "schedule"
    return Run(str(token), "", f"schedule-{token.hex}", f"slot-{token.hex}", token.int >> 70, kind)


def _marked(value: Any, marks: Mapping[Any, str]) -> Any:
    if isinstance(value, dict):
        return {name: _marked(inner, marks) for name, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner, marks) for inner in value]
    return marks.get(value, value) if isinstance(value, str | int) else value


def _template(
    text: str, marks: _Values, message: Message, embed: str, check: Callable[..., Any] | None
) -> _Template | None:
    index = {quoted(mark): at for at, mark in enumerate(marks)}
    pattern = re.compile("|".join(index))
    holes = [index[mark] for mark in pattern.findall(text)]
    if set(range(len(marks))) - set(holes) - {_Values._fields.index("expires")}:
        return None
    form = "%s".join(piece.replace("%", "%%") for piece in pattern.split(text))
    return _Template(message.queue, message.more, form, itemgetter(*holes), embed, check)


def _receivers() -> str:
    for signal in _SIGNALS:
        if signal.receivers:
            return f"a receiver of the signal {signal.name} is connected"
    return ""


def _reason(app: Celery, spec: ScheduleSpec) -> str | None:
    """Why a task's messages can't come from a template; None where they can."""
    task = app.tasks.get(spec.task)
    conf = app.conf
    odd = sorted(set(spec.options) - _KNOWN_OPTIONS)
    reasons = {
        f"its options hold {', '.join(odd)}": bool(odd),
        "its expires is no number of seconds": not isinstance(spec.options.get("expires", 0), int | float),
        "a router is a function": any(not isinstance(r, routes.MapRoute) for r in app.amqp.router.routes or ()),
        "task_send_sent_event is on": conf.task_send_sent_event,
        "task_always_eager is on": conf.task_always_eager,
        "task_protocol is 1": conf.task_protocol != 2,
        "messages are compressed": bool(conf.task_compression or getattr(task, "compression", None)),
        "messages are not JSON": {conf.task_serializer, getattr(task, "serializer", None)} - {"json", None} != set(),
    }
    if task is not None:
        own = [
            name
            for name in ("apply_async", "shadow_name")
            if getattr(type(task), name) is not getattr(CeleryTask, name)
        ]
        reasons[f"the task has its own {' and '.join(own)}"] = bool(own)
        reasons["the task takes pydantic models"] = task._dump_pydantic_arguments is not None
        reasons["the task sends its own expiry"] = getattr(task, "expires", None) is not None
    return next((reason for reason, holds in reasons.items() if holds), None)
