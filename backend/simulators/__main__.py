"""`python -m simulators`: run a simulator, or print what another program needs of the demo world.

python -m simulators velog --host 127.0.0.1 --port 9101
python -m simulators naver_land --host 127.0.0.1 --port 9102
python -m simulators webhooks | real_trades
python -m simulators world velog-users | complexes | land-token
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

import uvicorn

from simulators import naver_land, real_trades, velog, webhooks, world

APPS = {
    "velog": velog.create_app,
    "naver_land": naver_land.create_app,
    "webhooks": webhooks.create_app,
    "real_trades": real_trades.create_app,
}


def velog_users(now: float) -> list[dict[str, object]]:
    """The demo accounts with a fresh pair of tokens each."""
    listed: list[dict[str, object]] = []
    for user in world.users():
        access, refresh = world.velog_tokens(user.id, now)
        listed.append(
            {
                "velog_uuid": user.id,
                "username": user.username,
                "email": user.email,
                "access_token": access,
                "refresh_token": refresh,
                "group_id": user.group_id,
            }
        )
    return listed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators", description="Stand-ins for the upstreams.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in APPS:
        serve = commands.add_parser(name, help=f"serve the {name} simulator")
        serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
        serve.add_argument("--port", type=int, default=0, help="port to listen on (default: one that is free)")
        serve.add_argument("--still", action="store_true", help="a world that doesn't change with time")
    printed = commands.add_parser("world", help="print the demo world's users, complexes or a bearer token")
    printed.add_argument("what", choices=["velog-users", "complexes", "land-token"])
    printed.add_argument("--hours", type=float, default=3.0, help="life of a land token (default: 3, as the site's)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = _parser().parse_args(arguments)
    if given.command in APPS:
        app = APPS[given.command](lively=not given.still)
        # "info" prints the address, which nobody else knows where the port is a free one.
        uvicorn.run(app, host=given.host, port=given.port, access_log=False, timeout_graceful_shutdown=2)
        return 0
    now = time.time()
    printed = {
        "velog-users": lambda: json.dumps(velog_users(now), ensure_ascii=False, indent=2),
        "complexes": lambda: json.dumps(world.complex_list(), ensure_ascii=False, indent=2),
        "land-token": lambda: world.land_token(now, int(given.hours * 3600)),
    }
    sys.stdout.write(printed[given.what]() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
