"""Django's settings, addresses and ASGI application."""
