"""What `celery -A bench.process_app` loads: the sample app, with delivery installed where the engine is measured.

A stock beat doesn't import the engine, so its memory and start-up are its own.
"""

import os

from bench.sample import make_app

app = make_app(os.environ["BENCH_REDIS"])
if os.environ.get("BENCH_SYSTEM") == "livebeat":
    from livebeat import install

    install(app)
