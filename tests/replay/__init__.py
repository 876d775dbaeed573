"""The known holes of clock changes, replayed: RedBeat's own scheduler beside Livebeat, on one hand-moved clock."""
