"""The beat: due slots to messages on the broker, one script a batch; any number of beats may run."""

from livebeat.beat.leader import hand_over, leader
from livebeat.beat.scheduler import LiveBeatScheduler

__all__ = ["LiveBeatScheduler", "hand_over", "leader"]
