"""When to start a failed process again, and when to stop trying. Pure: every instant is an argument.

Five ends within a minute mean that trying again won't help; a process that had run for half a minute is
judged afresh. Instants are seconds of any one monotonic clock.
"""

from dataclasses import dataclass, field


@dataclass
class Backoff:
    """One process's recent ends."""

    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 10.0
    give_up_after: int = 5
    within_seconds: float = 60.0
    healthy_after_seconds: float = 30.0
    _ends: list[float] = field(default_factory=list)

    def after_end(self, now: float, ran_seconds: float) -> float | None:
        """Seconds to wait before the next start, or None where it should not be started again."""
        if ran_seconds > self.healthy_after_seconds:
            self._ends.clear()
        self._ends = [end for end in self._ends if now - end < self.within_seconds]
        self._ends.append(now)
        if len(self._ends) >= self.give_up_after:
            return None
        delay = self.first_delay_seconds * 2.0 ** (len(self._ends) - 1)
        return min(delay, self.longest_delay_seconds)
