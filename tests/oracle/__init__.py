"""When rules are due, decided anew minute by minute from `zoneinfo` alone: what `livebeat.rules` is checked against.

Nothing here is shared with what it checks; only a rule's JSON form is known to both.
"""
