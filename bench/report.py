"""From recorded runs to tables: medians, and the median of the ratios within pairs. `publish` puts them in the docs."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.picture import bars
from bench.servers import RunFailedError

Row = dict[str, Any]
#: Names in the tables; what is not here is shown as recorded.
LABELS = {
    "livebeat": "**Livebeat**",
    "livebeat-adopting": "Livebeat, on RedBeat's data",
    "redbeat": "RedBeat",
    "django-celery-beat": "django-celery-beat, SQLite",
    "apscheduler": "APScheduler, Redis, no grace limit",
    "celery": "plain Celery",
    "serial-consumer": "the old consumer",
    "serial-consumer-sleepless": "the old consumer without its sleeps",
}


@dataclass(frozen=True)
class Column:
    """`field` of the rows, its median times `scale`, with `digits` after the point."""

    heading: str
    field: str
    digits: int = 2
    scale: float = 1


@dataclass(frozen=True)
class Table:
    """`baseline`: the system that `ratio_of` is divided by, run by run."""

    title: str
    columns: tuple[Column, ...]
    baseline: str = ""
    ratio_of: str = "rate"


_RATE = Column("messages/s", "rate", 0)
_RSS = Column("RSS MiB", "rss_mib", 0)
_AFTER = (Column("first s", "first"), Column("p50 s", "p50"), Column("p99 s", "p99"), Column("last s", "last"))
_CPU = (
    Column("beat CPU µs each", "cpu_us", 0),
    Column("Redis CPU µs each", "server_cpu_us", 0),
    Column("beat CPU s since its start", "cpu_in_all"),
)
_SECONDS = (Column("p50 ms", "p50", 1, 1000), Column("p99 ms", "p99", 1, 1000), Column("max ms", "max", 1, 1000))

TABLES = {
    "dispatch": Table(
        "Dispatch: N schedules of distinct rules due in one second",
        (Column("sent %", "sent_share", 0, 100), *_AFTER, _RATE, *_CPU, _RSS),
        "redbeat",
    ),
    "dispatch-cron": Table("Dispatch: the same with cron rules", (*_AFTER, _RATE, *_CPU, _RSS), "redbeat"),
    "dispatch-mixed": Table("Dispatch: the same with rules of every kind", (*_AFTER, _RATE, *_CPU, _RSS), "redbeat"),
    "first-tick": Table(
        "First tick: N overdue when the beat starts cold (seconds from the process's start)",
        (*_AFTER, Column("messages/s from the start", "rate", 0), Column("from the first", "rate_from_first", 0)),
        "redbeat",
        "rate_from_first",
    ),
    "aof": Table("Dispatch by `appendfsync`", (*_AFTER, _RATE, *_CPU), "everysec"),
    "slowlog": Table(
        "How long a script holds Redis during a dispatch",
        (Column("calls", "calls", 0), *(Column(f"{q} ms", f"{q}_ms") for q in ("p50", "p99", "max"))),
    ),
    "lateness": Table(
        "Lateness at 100 dispatches a second for 60 s",
        (
            *(Column(f"{q} ms", f"{q}_ms", 1) for q in ("earliest", "p50", "p99", "max")),
            Column("max ms in quiet seconds", "max_quiet_ms", 1),
            Column("noisy seconds", "noisy_seconds", 0),
            Column("control p99 ms", "control_p99_ms", 1),
            Column("control max ms", "control_max_ms", 1),
            Column("reader's own µs", "reader_us", 0),
        ),
    ),
    "edit": Table(
        "Edit until the message is on the list",
        (
            *(Column(f"{q} s", q, 3) for q in ("p50", "p99", "max")),
            Column("p99 s from the call", "p99_from_call", 3),
        ),
    ),
    "idle": Table(
        "Idle: N schedules, none due, 30 s",
        (
            Column("beat CPU %", "cpu_percent"),
            Column("Redis CPU %", "server_cpu_percent"),
            Column("commands/s", "commands_s", 1),
            _RSS,
        ),
    ),
    "start-up": Table(
        "Start-up: process start to the first overdue message, N others not due",
        (Column("seconds", "seconds"), Column("beat CPU s", "cpu")),
    ),
    "memory": Table(
        "Memory",
        (Column("Redis bytes each", "bytes_each", 0), Column("and in the event stream", "event_bytes_each", 0), _RSS),
    ),
    "million": Table(
        "A million stored",
        (
            Column("Redis bytes each", "bytes_each", 0),
            Column("start-up s", "seconds"),
            Column("idle beat CPU %", "cpu_percent"),
            Column("idle Redis CPU %", "server_cpu_percent"),
            Column("last s", "last"),
            _RATE,
            *_CPU,
            _RSS,
        ),
        "N alone",
    ),
    "takeover": Table(
        "Takeover: kill -9 of the leader of three beats until a due slot is dispatched",
        (
            *_SECONDS,
            Column("latest slot ms", "worst", 1, 1000),
            Column("slots", "slots", 0),
            Column("missing", "missing", 0),
        ),
    ),
    "jobs": Table(
        "What the ledger costs a job: prefork 2, acks_late, prefetch 1",
        (
            Column("jobs/s", "rate", 0),
            Column("worker CPU µs each", "cpu_us", 0),
            Column("Redis CPU µs each", "server_cpu_us", 0),
            Column("CPU µs each", "job_us", 0),
            _RSS,
        ),
        "celery",
        "job_us",
    ),
    "refresh": Table(
        "Refreshing N users of 20 posts, 50 ms an answer",
        (Column("users/s", "rate"), Column("worker CPU ms each", "cpu_ms", 0), _RSS),
        "serial-consumer",
    ),
    "thousand-posts": Table(
        "A user of N posts at 50 requests a second",
        (
            Column("seconds", "seconds", 1),
            Column("RSS MiB after a tenth", "tenth_mib", 1),
            Column("RSS MiB at the end", "end_mib", 1),
            Column("growth", "growth", 3),
        ),
    ),
    "starts": Table(
        "From a request to its start, at 200 requests a second for 30 s",
        (
            Column("requests/s", "rate", 0),
            *(Column(f"{q} ms", f"{q}_ms", 1) for q in ("p50", "p99", "max")),
            Column("control p99 ms", "control_p99_ms", 1),
            Column("control max ms", "control_max_ms", 1),
        ),
    ),
    "backlog": Table(
        "The relay behind a long queue: N messages wait longer than their first check, then one worker drains them",
        (
            Column("pushed twice", "copies", 0),
            Column("pushed twice %", "copies_share", 3, 100),
            Column("beat CPU %", "cpu_percent", 1),
            Column("longest tick ms", "tick_max_ms", 1),
            Column("abandoned runs: p50 s", "again_p50"),
            Column("max s", "again_max"),
            Column("drained in s", "seconds", 0),
        ),
    ),
    "load": Table(
        "Looking ahead over all schedules",
        (
            Column("distinct rules", "rules", 0),
            Column("seconds", "seconds"),
            Column("CPU s", "cpu"),
            Column("Redis CPU s", "server_cpu"),
            Column("schedules, starts or suggestions", "found", 0),
        ),
    ),
    "rules": Table(
        "One look at a rule: its next instant, or its refusal",
        (Column("p50 µs", "us", 1), Column("p99 µs", "p99_us", 1)),
    ),
    "profile": Table(
        "Where the last microsecond goes",
        (Column("µs a message", "us_each", 1), Column("of these after the due instant", "after_us_each", 1)),
    ),
}


def load(folder: Path, what: str) -> tuple[Row, list[Row]]:
    """Where a measurement took place, and its runs; both empty where it was not made."""
    file = folder / f"{what}.jsonl"
    if not file.exists():
        return {}, []
    first, *rows = (json.loads(line) for line in file.read_text().splitlines())
    return first["machine"], rows


def table(what: str, rows: Sequence[Row]) -> str:
    """Markdown: one line for each system (and N), in the order of the first runs; '' without rows."""
    spec = TABLES[what]
    groups: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in _flat(rows):
        groups[row.get("n", 0), row["system"]].append(row)
    if not groups:
        return ""
    used = [column for column in spec.columns if any(column.field in row for rows in groups.values() for row in rows)]
    ratio = [f"× {LABELS.get(spec.baseline, spec.baseline)}"] if spec.baseline else []
    lines = [["N", "", "runs", *(column.heading for column in used), *ratio]]
    lines.append(["---:", "---", "---:", *("---:" for _ in [*used, *ratio])])
    for (n, system), group in sorted(groups.items(), key=lambda item: -item[0][0]):
        cells = [_cell(column, group) for column in used]
        shown = LABELS.get(system, system)
        if ratio:
            cells.append(_ratio(group, groups.get((n, spec.baseline), []), spec.ratio_of))
        lines.append([f"{n:,}" if n else "", shown, _count(group), *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _flat(rows: Iterable[Row]) -> Iterator[Row]:
    """A run with parts becomes a row for each part."""
    for row in rows:
        if "parts" in row:
            yield from ({**row, "system": part, **values} for part, values in row["parts"].items())
        else:
            yield row


def _count(group: Sequence[Row]) -> str:
    failed = sum("failed" in row for row in group)
    return f"{len(group) - failed}, {failed} failed" if failed else str(len(group))


def _cell(column: Column, group: Sequence[Row]) -> str:
    values = [row[column.field] * column.scale for row in group if row.get(column.field) is not None]
    return f"{median(values):,.{column.digits}f}" if values else "–"


def ratios(group: Sequence[Row], baseline: Sequence[Row], field: str) -> list[float]:
    """Of each run that both have."""
    against = {row["run"]: row[field] for row in baseline if row.get(field)}
    return [row[field] / against[row["run"]] for row in group if row.get(field) and row["run"] in against]


def _ratio(group: Sequence[Row], baseline: Sequence[Row], field: str) -> str:
    found = ratios(group, baseline, field)
    if not found or group is baseline:
        return "–"
    digits = 1 if median(found) > 2 else 2
    return f"**{median(found):.{digits}f}** ({min(found):.{digits}f}–{max(found):.{digits}f})"


def places(folder: Path) -> str:
    """Where, when and with what: one paragraph where it was the same for all, else one for each."""
    made: dict[str, list[str]] = defaultdict(list)
    for what in TABLES:
        machine, rows = load(folder, what)
        if rows:
            made[_place(machine)].append(what)
    if len(made) == 1:
        return next(iter(made))
    return "\n\n".join(f"{', '.join(names)}: {place}" for place, names in made.items())


def _place(machine: Row) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"{machine['server']}, Python {machine['python']}, {packages}."
    )


def section(folder: Path, what: str) -> str:
    """A measurement's table with the machine's load and what failed; '' where it was not made."""
    _, rows = load(folder, what)
    if not rows:
        return ""
    text = f"Load average {min(row['load'] for row in rows):.1f} to {max(row['load'] for row in rows):.1f}."
    failures = sorted({f"{row['system']}: {row['failed']}" for row in rows if "failed" in row})
    return f"{table(what, rows)}\n\n{text}" + "".join(f" Failed: {failure}." for failure in failures)


def write(folder: Path) -> str:
    """`report.md` and the picture of all that was recorded under a folder; returns the text."""
    sections = [(spec.title, section(folder, what)) for what, spec in TABLES.items()]
    text = "\n".join([f"{places(folder)}\n", *(f"## {title}\n\n{body}\n" for title, body in sections if body)])
    (folder / "report.md").write_text(text)
    picture = draw(folder)
    if picture:
        (folder / "dispatch.svg").write_text(picture)
    return text


def draw(folder: Path) -> str:
    """The rates of the largest N as bars; '' without any."""
    _, rows = load(folder, "dispatch")
    good = [row for row in rows if row.get("rate")]
    if not good:
        return ""
    n = max(row["n"] for row in good)
    rates: dict[str, list[float]] = defaultdict(list)
    for row in good:
        if row["n"] == n:
            rates[row["system"]].append(row["rate"])
    shown = sorted(rates.items(), key=lambda item: -median(item[1]))
    labelled = [(LABELS[name].strip("*"), median(values)) for name, values in shown]
    return bars(f"Messages a second, {n:,} schedules of distinct rules due in one second", labelled)


def publish(folder: Path, page: Path) -> list[str]:
    """Put every recorded table between its markers on the page, the picture beside it; returns what was put there.

    Raises:
        RunFailedError: the page has no place for one, or nothing was recorded.
    """
    bodies = {what: body for what in TABLES if (body := section(folder, what))}
    if not bodies:
        raise RunFailedError(f"nothing is recorded under {folder}")
    text = page.read_text(encoding="utf-8")
    for what, body in {"machine": places(folder), **bodies}.items():
        text = _between(text, what, body)
    page.write_text(text, encoding="utf-8")
    picture = draw(folder)
    if picture:
        page.with_suffix(".svg").write_text(picture)
    return list(bodies)


def _between(text: str, what: str, body: str) -> str:
    """The text with `body` between the markers of `what`."""
    opening, closing = f"<!-- {what} -->", f"<!-- /{what} -->"
    head, opened, rest = text.partition(opening)
    _, closed, tail = rest.partition(closing)
    if not opened or not closed:
        raise RunFailedError(f"the page has no {opening} … {closing}")
    return f"{head}{opening}\n\n{body}\n\n{closing}{tail}"
