"""`manage.py api_key create|list|revoke`: the keys of the REST API.

`create` prints the key, and nothing else, on standard output; it is never shown again.
"""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from app.access.errors import AccessError
from app.access.models import ApiKey
from app.access.scopes import Scope
from app.access.services import all_keys, issue, revoke
from livebeat import clock


class Command(BaseCommand):
    """See the module."""

    help = (
        "Make, list and revoke API keys. Scopes: viewer reads; operator also changes schedules and triggers runs; "
        "admin also hands the beat over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand."""
        commands = parser.add_subparsers(dest="command", required=True)
        create = commands.add_parser("create", help="make a key and print it, once")
        create.add_argument("name", help="whose key it is; shown as the author of what it changes")
        create.add_argument("--scope", choices=Scope.values, required=True, help="what it may do")
        create.add_argument("--expires-in-days", type=int, metavar="DAYS", help="without it the key doesn't expire")
        shown = commands.add_parser("list", help="every key, newest first; secrets are not kept")
        shown.add_argument("--json", action="store_true", help="as JSON")
        ended = commands.add_parser("revoke", help="end a key at once, for ever")
        ended.add_argument("name", help="its name or its prefix")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one subcommand."""
        try:
            getattr(self, f"_{options['command']}")(options)
        except AccessError as error:
            raise CommandError(str(error)) from None

    def _create(self, options: dict[str, Any]) -> None:
        row, text = issue(options["name"], Scope(options["scope"]), _end(options["expires_in_days"]))
        self.stderr.write(f"made {row}, expires {_shown(row.expires_at, 'never')}. It is shown this once:")
        self.stdout.write(text)

    def _list(self, options: dict[str, Any]) -> None:
        rows = list(all_keys())
        if options["json"]:
            self.stdout.write(json.dumps([_facts(row) for row in rows], ensure_ascii=False, indent=2))
            return
        for row in rows:
            used = _shown(row.last_used_at, "never")
            self.stdout.write(f"{row.prefix}  {row.scope:<8}  {_state(row):<36}  used {used:<25}  {row.name}")
        if not rows:
            self.stderr.write("There are no keys.")

    def _revoke(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"revoked {revoke(options['name'])}")


def _end(days: int | None) -> datetime | None:
    if days is None:
        return None
    try:
        return clock.now() + timedelta(days=days)
    except OverflowError:
        raise CommandError("--expires-in-days is too large") from None


def _state(row: ApiKey) -> str:
    if row.revoked_at is not None:
        return f"revoked {_shown(row.revoked_at, '')}"
    if row.expires_at is None:
        return "in use"
    return f"{'expired' if row.expires_at <= clock.now() else 'expires'} {_shown(row.expires_at, '')}"


def _shown(instant: datetime | None, otherwise: str) -> str:
    return instant.isoformat(timespec="seconds") if instant else otherwise


def _facts(row: ApiKey) -> dict[str, Any]:
    instants = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {
        "name": row.name,
        "prefix": row.prefix,
        "scope": row.scope,
        **{name: _shown(getattr(row, name), "") or None for name in instants},
    }
