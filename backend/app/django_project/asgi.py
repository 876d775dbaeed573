"""Django's ASGI application; `app.main` mounts it last."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.django_project.settings")  # noqa: TID251  Django reads it there

application = get_asgi_application()
