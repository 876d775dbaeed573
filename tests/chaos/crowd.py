"""Velog with a crowd of users, for the requests' chaos: `python -m chaos.crowd PORT USERS`, and the crowd's own list."""

import sys
import uuid
from datetime import timedelta
from typing import Any

import uvicorn

from livebeat import clock
from simulators import velog, world

#: Seconds that each answer takes: a refresh has three or four of them one after the other.
ANSWER = 0.1
_POSTS = 2
#: Of so many users the last one has tokens that velog doesn't accept.
_STRANGERS = 50
_NAMESPACE = uuid.UUID("3c1c6b52-6f7e-4f3d-9a44-0d9b3ad1c2aa")


def user_id(number: int) -> str:
    """Velog's id of a user, from 0 on."""
    return str(uuid.uuid5(_NAMESPACE, str(number)))


def is_stranger(number: int) -> bool:
    """Whether velog does not know this user."""
    return number % _STRANGERS == _STRANGERS - 1


def accounts(count: int) -> list[dict[str, Any]]:
    """As `manage.py load_users` reads them."""
    now = clock.now().timestamp()
    found = []
    for number in range(count):
        access, refresh = world.velog_tokens(user_id(number), now)
        found.append({"velog_uuid": user_id(number), "access_token": access, "refresh_token": refresh})
    return found


def main() -> None:
    """Until it is killed."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    app = velog.create_app()
    crowd, control = app.state.world, app.state.control
    crowd.users, crowd.posts = {}, {}
    for number in range(count):
        if is_stranger(number):
            continue
        user = user_id(number)
        crowd.users[user] = world.VelogUser(user, f"user-{number}", None, None, number % 1000 + 1)
        for place in range(_POSTS):
            released = world.ANCHOR - timedelta(days=place + 1)
            post = str(uuid.uuid5(_NAMESPACE, f"{number}/{place}"))
            crowd.posts[post] = world.Post(post, user, f"{place}", f"{place}", 1, 2, 0, released)
    control.faults = control.parse(
        [
            {"kind": "status_503", "step": "currentUser", "after": 60, "times": 10},
            {"kind": "slow", "delay": ANSWER, "times": None},
        ]
    )
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
