"""What schedules will do: their next instants, what an edit would change, how much starts when. Reads, never writes."""

from livebeat.lookahead.crowding import Crowd, Load, Suggestion, load
from livebeat.lookahead.instants import Preview, Upcoming, preview, upcoming

__all__ = ["Crowd", "Load", "Preview", "Suggestion", "Upcoming", "load", "preview", "upcoming"]
