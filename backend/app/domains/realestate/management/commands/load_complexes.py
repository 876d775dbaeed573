"""`manage.py load_complexes FILE`: watch complexes from a JSON list of `complex_id` and `complex_name`.

The JSON is in a file or on standard input (`-`). Complexes that are known stay as they are unless `--update` is given,
so the command can run at every start. All or nothing.
"""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from app.domains.realestate.services import put_complex


class Command(BaseCommand):
    """See the module."""

    help = "Watch complexes from a JSON list (a file, or - for standard input)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One file, and whether known complexes get the file's names."""
        parser.add_argument("file", nargs="?", default="-", help="JSON file; - reads standard input (default)")
        parser.add_argument("--update", action="store_true", help="give known complexes the names of the file")

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
                    counts[put_complex(record, update=options["update"])] += 1
                except ValueError as error:
                    raise CommandError(f"complex {number}: {error}") from error
        self.stdout.write(", ".join(f"{counts[name]} {name}" for name in ("created", "updated", "kept")))
