"""`manage.py replace_token_keys`: encrypt stored velog tokens anew, for each `AES_KEY_<n>` that has an `AES_KEY_<n>_NEXT`.

May be stopped and repeated at any time. Exit status 1 while any user's tokens still need an old key.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from app.core.errors import PlatformError
from app.core.settings import get_settings
from app.domains.velog.rotation import replace_keys


class Command(BaseCommand):
    """See the module."""

    help = "Encrypt stored velog tokens by AES_KEY_<n>_NEXT, for each n that has one; says when the old key can go."

    def handle(self, *args: Any, **options: Any) -> None:
        """Replace, then print one line a key."""
        try:
            keys = replace_keys(get_settings())
        except PlatformError as error:
            raise CommandError(str(error)) from error
        if not keys:
            raise CommandError("no AES_KEY_<n>_NEXT is set: nothing to replace")
        for key in keys:
            self.stdout.write(
                f"AES_KEY_{key.index}: {key.encrypted} users encrypted anew, {key.done} were already,"
                f" {key.unreadable} can't be read and have to sign in again"
            )
        waiting = [f"AES_KEY_{key.index}" for key in keys if key.changed]
        if waiting:
            raise CommandError(f"tokens changed meanwhile ({', '.join(waiting)}): run this once more")
        self.stdout.write("Put each AES_KEY_<n>_NEXT in the place of its AES_KEY_<n>, and restart.")
