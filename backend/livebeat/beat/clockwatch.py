"""Redis' clock against this host's own: a clock that jumps is not believed at once, so that no slot is spent on it.

A jump holds dispatch for `HOLD` seconds. A clock that is set right within that time has cost nothing; one that stays
is believed, and missed slots are dealt with by their catch-up policy. A suspended machine, where both clocks go on
together, is no jump.
"""

import logging

from livebeat import clock
from livebeat.connection import Link
from livebeat.events import emit

logger = logging.getLogger(__name__)

#: Seconds that the server's clock may gain or lose on ours between two looks.
JUMP = 2.0
#: Seconds that dispatch waits for a clock that jumped to be set right.
HOLD = 30.0


class ClockWatch:
    """The clocks as one beat sees them."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._offset: float | None = None
        self._held_since: float | None = None

    @property
    def held(self) -> bool:
        """Whether dispatch waits for the clock."""
        return self._held_since is not None

    def holds(self, server: float) -> bool:
        """Whether dispatch must wait, now that Redis says `server` (seconds)."""
        offset = server - clock.uptime()
        jump = 0.0 if self._offset is None else offset - self._offset
        if abs(jump) > JUMP:
            return self._hold(f"jumped by {jump:+.1f} s", offset)
        if self._held_since is not None:
            logger.warning("Redis' clock is right again; dispatching goes on.")
            self._held_since = None
        self._offset = offset
        return False

    def behind(self, server: float, seconds: str) -> None:
        """The script refused, as Redis' clock is below that of the newest dispatch; believed in the end, too."""
        if not self._hold(f"is {seconds} s behind the newest dispatch", server - clock.uptime()):
            self._link.client.set(self._link.keys.mark, f"{server:.6f}")

    def _hold(self, what: str, offset: float) -> bool:
        now = clock.uptime()
        if self._held_since is None:
            self._held_since = now
            logger.error(
                "Redis' clock %s. Nothing is dispatched for %g seconds, unless it is set right before. Check the time "
                "service of the Redis host.",
                what,
                HOLD,
            )
            emit(self._link.client, self._link.keys, "clock.jumped", {"what": what, "held": HOLD})
        if now - self._held_since < HOLD:
            return True
        logger.error("Redis' clock %s and stayed so; it is believed from now on.", what)
        emit(self._link.client, self._link.keys, "clock.believed", {"what": what})
        self._held_since, self._offset = None, offset
        return False
