"""`up`: bring everything up in order, say that it is ready, keep it alive, take it down again.

Order: the folder and its lock, leftovers, the port → embedded servers → migrations → demo → the platform. A
failure at any step stops what was started before it, and is told in one line.
"""

from launcher import demo as demos
from launcher.environment import SQLITE_NAME, Addresses, addresses, environment_for
from launcher.errors import LauncherError
from launcher.instance import Instance, end_leftovers
from launcher.messages import text
from launcher.migrations import all_applied
from launcher.output import Console
from launcher.preflight import check_data_dir, check_port_free
from launcher.programs import manage, platform_programs, server_programs
from launcher.ready import ready_block
from launcher.settings import LauncherSettings
from launcher.state import State, read_state, remove_state, write_state
from launcher.supervisor import Supervisor

SERVER_SECONDS = 60.0
MIGRATE_SECONDS = 300.0
PLATFORM_SECONDS = 90.0
STOPPED_BY_FORCE = 1


def up(settings: LauncherSettings, console: Console, *, demo: bool | None, without: frozenset[str]) -> int:
    """Run until a signal. `demo` is `--demo`, `--no-demo` or neither; `without` names what somebody runs by hand.

    Returns the exit code: 0 after a stop that was asked for, 1 where a second signal cut it short or something
    failed, 2 where nothing was started.

    Raises:
        PreflightError: the folder can't be had.
    """
    check_data_dir(settings.data_dir)
    with Instance(settings.data_dir, settings.api_url) as instance:
        with Supervisor(console, on_change=instance.note) as supervisor:
            code = _run(settings, console, supervisor, demo=demo, without=without)
            was_running = supervisor.has_children
            if was_running:
                console.say(text("stopping"))
        if was_running:
            console.say(text("stopped"))
        return STOPPED_BY_FORCE if supervisor.stopped_by_force else code


def _run(
    settings: LauncherSettings, console: Console, supervisor: Supervisor, *, demo: bool | None, without: frozenset[str]
) -> int:
    """Start everything and stay until a signal or a failure; returns the exit code."""
    try:
        for pid in end_leftovers(settings.data_dir):
            console.say(text("leftover", pid=pid))
        check_port_free(settings.api_host, settings.api_port)
        with_demo = demos.is_wanted(settings, demo)
        found = addresses(settings)
        world = demos.make_demo(settings, read_state(settings.data_dir)) if with_demo else None
        _start(settings, console, supervisor, found, world, without=without, asked_for_demo=bool(demo))
        supervisor.watch()
    except LauncherError as error:
        if str(error):
            console.say(f"livebeat: {error}")
        return error.exit_code
    return 0


def _start(
    settings: LauncherSettings,
    console: Console,
    supervisor: Supervisor,
    found: Addresses,
    world: demos.Demo | None,
    *,
    without: frozenset[str],
    asked_for_demo: bool,
) -> None:
    """From nothing to ready."""
    new_database = found.is_new_database(settings)
    supervisor.launch(server_programs(found), SERVER_SECONDS)
    effective = {**found.environment, **(world.environment if world else {})}
    environment = environment_for(settings, effective)
    if settings.all_embedded:
        write_state(settings.data_dir, State(effective, world.ports if world else {}))
    else:
        remove_state(settings.data_dir)
    if world:
        supervisor.start(demos.simulators(world, environment))
    if settings.database != "sqlite" or not all_applied(settings.data_dir / SQLITE_NAME, settings.project_dir):
        console.say(text("migrating"))
        migrate = manage(settings, environment, "migrate", "--no-input", "--verbosity", "0")
        supervisor.run_once(migrate, MIGRATE_SECONDS)
    if world:
        if new_database:
            demos.forget_loaded(settings)
        demos.enter(world, supervisor, environment, console, always=asked_for_demo)
    platform = platform_programs(settings, environment, found.flower_socket, complete=not without)
    chosen = [program for program in platform if program.name not in without]
    console.say(text("starting", names=", ".join(program.name for program in chosen)))
    supervisor.launch(chosen, PLATFORM_SECONDS)
    for line in ready_block(settings, found, with_demo=world is not None):
        console.say(line)
