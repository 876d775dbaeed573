"""What `celery -A chaos.process …` loads, in the beats and workers that the driver starts."""

import os

from chaos.app import Setup, make_app

app = make_app(Setup.from_json(os.environ["CHAOS_SETUP"]))  # noqa: TID251  how the driver tells its children
