"""The few HTML pages of the API itself: templates with autoescape, in the reader's language, no inline script."""

from functools import cache
from pathlib import Path
from typing import Any

from django.template import Context, Engine
from fastapi.responses import HTMLResponse

from livebeat.errors import Language

_FOLDER = Path(__file__).parent
STATIC_FOLDER = _FOLDER / "static"


@cache
def _engine() -> Engine:
    return Engine(dirs=[str(_FOLDER / "templates")], autoescape=True)


def page(template: str, language: Language, status: int = 200, **facts: Any) -> HTMLResponse:
    """A rendered template of `templates/`. It sees `facts`, `language`, and `ko` (true for a reader of Korean)."""
    context = Context({**facts, "language": language, "ko": language == "ko"})
    text = _engine().get_template(template).render(context)
    return HTMLResponse(text, status, {"Content-Language": language, "Vary": "Accept-Language"})
