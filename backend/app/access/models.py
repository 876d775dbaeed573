"""`ApiKey`: one row a key, for ever; a revoked key keeps its row, so that history can say whose name that was."""

from typing import ClassVar

from django.db import models

from app.access.scopes import Scope

NAME_LENGTH = 100
PREFIX_LENGTH = 12


class ApiKey(models.Model):
    """A key. The secret itself is nowhere: `digest` is its SHA-256, which suffices for 256 random bits.

    `prefix` is public and finds the row. A name is in use once: that of a revoked key is free again.
    """

    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True)
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=NAME_LENGTH)
    scope = models.CharField(max_length=16, choices=Scope.choices)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API 키"
        verbose_name_plural = "API 키"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(revoked_at__isnull=True), name="access_one_key_a_name"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}, {self.scope})"
