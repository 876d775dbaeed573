"""The sample app with the Sentry SDK switched on, as an adopter would who knows nothing of the engine.

`sentry.json` in the evidence folder: the `dsn`, and the Celery integration's own `integration` options.
"""

import json

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration

from support.sample_app import EVIDENCE
from support.sample_app import app as app

_given = json.loads((EVIDENCE / "sentry.json").read_text())
sentry_sdk.init(dsn=_given["dsn"], traces_sample_rate=1.0, integrations=[CeleryIntegration(**_given["integration"])])
