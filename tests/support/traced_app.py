"""The sample app with the Sentry SDK switched on, as an adopter would who knows nothing of the engine.

`sentry.json` in the evidence folder: the `dsn`, and the Celery integration's own `integration` options. With
`terminated_at` (a part of a log line) the process gets a SIGTERM while the SDK looks at that line, once.
"""

import json
import os
import signal
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration

from support.sample_app import EVIDENCE
from support.sample_app import app as app

_given = json.loads((EVIDENCE / "sentry.json").read_text())
_terminated_at = _given.get("terminated_at")


def _look_at(crumb: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    global _terminated_at
    if _terminated_at and _terminated_at in str(crumb.get("message")):
        _terminated_at = None
        os.kill(os.getpid(), signal.SIGTERM)
    return crumb


sentry_sdk.init(
    dsn=_given["dsn"],
    traces_sample_rate=1.0,
    integrations=[CeleryIntegration(**_given["integration"])],
    before_breadcrumb=_look_at,
)
