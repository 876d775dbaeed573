"""Crawls at size, with real workers, and change detection against a model of its own: `python -m crawls --help`."""
