"""The api process: `uvicorn app.main:app`. FastAPI under `/api`, Django below whatever FastAPI did not take.

Importing it ends the process, with status 78, where the address in the settings can be reached from elsewhere and
nobody would have to show a key.
"""

from typing import TYPE_CHECKING, cast

from app.api.application import create
from app.api.exposure import check_start
from app.core.process import begin
from app.core.settings import get_settings
from app.django_project.asgi import application as django_application

if TYPE_CHECKING:
    from starlette.types import ASGIApp

begin("api")
check_start(get_settings())

app = create(get_settings(), cast("ASGIApp", django_application))
