"""What somebody may do, and who somebody is. Each scope includes the ones below it."""

from dataclasses import dataclass
from typing import Literal

from django.db import models


class Scope(models.TextChoices):
    """The three scopes, weakest first."""

    VIEWER = "viewer", "조회"
    OPERATOR = "operator", "운영"
    ADMIN = "admin", "관리"

    def includes(self, other: "Scope") -> bool:
        """Whether whoever has this one may do what `other` is needed for."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = (Scope.VIEWER, Scope.OPERATOR, Scope.ADMIN)


@dataclass(frozen=True)
class Principal:
    """Somebody who was let in. `name` is what history shows: the key's, the user's, or the caller's address."""

    name: str
    scope: Scope
    by: Literal["key", "session", "nothing"]

    def may(self, need: Scope) -> bool:
        """Whether the scope suffices."""
        return self.scope.includes(need)
