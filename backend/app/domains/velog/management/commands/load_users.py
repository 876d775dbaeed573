"""`manage.py load_users FILE`: insert velog users from JSON, tokens encrypted on the way in.

The JSON is a list of objects with velog_uuid, access_token, refresh_token and perhaps username, email, group_id, in a
file or on standard input (`-`). Users that are known keep their tokens unless `--update` is given, so the command can
run at every start. All or nothing.
"""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from app.core.errors import PlatformError
from app.domains.velog.services import put_user


class Command(BaseCommand):
    """See the module."""

    help = "Insert velog users from a JSON list (a file, or - for standard input); tokens are stored encrypted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One file, and whether known users get the file's tokens."""
        parser.add_argument("file", nargs="?", default="-", help="JSON file; - reads standard input (default)")
        parser.add_argument("--update", action="store_true", help="give known users the tokens of the file")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, then print how many were created, updated and kept."""
        try:
            text = sys.stdin.read() if options["file"] == "-" else Path(options["file"]).read_text(encoding="utf-8")
            records = json.loads(text)
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['file']}: {error}") from error
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise CommandError(f"{options['file']}: a list of objects is needed")
        counts: Counter[str] = Counter()
        with transaction.atomic():
            for number, record in enumerate(records, 1):
                try:
                    counts[put_user(record, update=options["update"])] += 1
                except (PlatformError, ValueError) as error:
                    raise CommandError(f"user {number}: {error}") from error
        self.stdout.write(", ".join(f"{counts[name]} {name}" for name in ("created", "updated", "kept")))
