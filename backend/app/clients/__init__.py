"""Clients of other people's services: polite, bounded, and with a name for every way in which they fail."""
