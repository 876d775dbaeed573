"""N10: the append-only file of a live run, cut at random offsets and loaded by a fresh server, must add up each time."""

import random
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.account import snapshot
from chaos.app import STOCK
from chaos.checker import Violation
from chaos.conservation import Snapshot, conservation, conservation_by_count
from chaos.load import several, stock
from chaos.report import Bar, Report
from chaos.stage import Stage
from chaos.tap import Tap
from launcher.servers.binaries import ServerBinary
from launcher.servers.valkey import EmbeddedValkey
from support.engine import connect

#: Seconds that all beats are gone, so that there are slots to be passed over.
DOWN = 4.0
STOCK_SCHEDULES = 20


def cuts(logs: Path, binary: ServerBinary, *, count: int, seconds: float, seed: int) -> Report:
    """Ours: two beats, the ledger on, both policies, a downtime. Every prefix must add up, slot by slot."""
    pause = threading.Event()
    with Stage(logs, binary, ledgered=True) as stage, Tap(stage.setup.redis_url) as tap:
        stage.start_beats(2)
        schedules = several(stage.app, ("all", "one"))
        pause.wait(seconds / 2)
        for beat in stage.named("beat"):
            beat.kill()
        pause.wait(DOWN)
        for beat in stage.named("beat"):
            beat.start()
        pause.wait(seconds / 2)
        stage.end("beat")
        tap.drain()
        whole = snapshot(stage.client, ledgered=True)
        stage.server.stop()
        found, size = _cut(stage, count, seed, lambda read: conservation(read, schedules), ledgered=True)
    good = sum(not violations for violations in found)
    return Report(
        "cuts",
        (
            Bar(f"{count} of {count} prefixes add up", str(good), good == count),
            Bar("the whole file holds messages", str(len(whole.messages)), bool(whole.messages)),
            Bar("and skips", str(len(whole.skips)), bool(whole.skips)),
        ),
        {"append-only file, bytes": size, "schedules": len(whole.entries)},
        tuple(violation for violations in found for violation in violations),
    )


def stock_cuts(logs: Path, binary: ServerBinary, *, count: int, seconds: float, seed: int, bad: int) -> Report:
    """The control: stock RedBeat, counted. So many prefixes at least must not add up, or the harness is blind."""
    with Stage(logs, binary, scheduler=STOCK, options=("--max-interval=1",)) as stage:
        stock(stage.app, STOCK_SCHEDULES)
        stage.start_beats(1)
        threading.Event().wait(seconds)
        stage.end("beat")
        sent = len(snapshot(stage.client, ledgered=False).messages)
        stage.server.stop()
        found, size = _cut(stage, count, seed, conservation_by_count, ledgered=False)
    seen = sum(bool(violations) for violations in found)
    return Report(
        "control: cuts of stock RedBeat",
        (Bar(f"at least {bad} of {count} prefixes don't add up", str(seen), seen >= bad),),
        {"append-only file, bytes": size, "messages": sent},
    )


def _cut(
    stage: Stage, count: int, seed: int, judge: Callable[[Snapshot], Sequence[Violation]], *, ledgered: bool
) -> tuple[list[Sequence[Violation]], int]:
    """What is wrong with each prefix, and the size of the whole file."""
    chance = random.Random(seed)
    whole = stage.server.data_dir
    size = _file(whole).stat().st_size
    found = []
    for _ in range(count):
        prefix = whole.with_name("prefix")
        shutil.copytree(whole, prefix, ignore=shutil.ignore_patterns(stage.server.socket_path.name))
        with _file(prefix).open("r+b") as file:
            file.truncate(chance.randrange(1, size))
        with EmbeddedValkey(prefix, binary=stage.binary) as server, connect(server.client_url) as client:
            found.append(judge(snapshot(client, ledgered=ledgered)))
        shutil.rmtree(prefix)
    return found, size


def _file(data: Path) -> Path:
    """The one file that grows; its base is the empty data set of the start."""
    (file,) = data.rglob("*.incr.aof")
    return file
