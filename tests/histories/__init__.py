"""Random histories of a schedules file: edits of two hosts' copies, live edits, deletions, restarts, kills and races, on the
real server beside a small model of what must come of them."""
