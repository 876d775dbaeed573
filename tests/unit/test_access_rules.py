"""Scopes, what routes declare, and what is no key: without a database."""

import ast
import inspect
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from app.access import services
from app.access.attempts import _place
from app.access.errors import WeakKeyError
from app.access.scopes import Principal, Scope
from app.api.access import OPEN, declared_need, need_of
from app.api.application import create
from app.api.openapi import EXTENSION
from app.core.settings import Settings, get_settings
from app.django_project.asgi import application

#: Everything that nobody needs a key for. Whoever adds to it, adds a hole.
OPEN_ADDRESSES = {"/api/health/live", "/api/health/ready", "/health", "/static", "admin"}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create(get_settings(), cast("Any", application))


def routes(app: FastAPI) -> dict[str, BaseRoute]:
    return {
        f"{sorted(context.methods or ())} {context.path or context.name}": context.original_route
        for context in iter_route_contexts(app.routes)
    }


def test_every_route_declares_what_it_needs(app: FastAPI) -> None:
    undeclared = [name for name, route in routes(app).items() if declared_need(route) is None]
    assert undeclared == [], "add @needs(Scope.…) below the @router line (app.api.access)"


def test_only_these_are_open(app: FastAPI) -> None:
    found = {name.split("] ")[1] for name, route in routes(app).items() if declared_need(route) == OPEN}
    assert found == OPEN_ADDRESSES


def test_what_changes_something_is_not_for_viewers(app: FastAPI) -> None:
    reading_too = {"/flower/{path:path}"}  # refuses every change itself
    for name, route in routes(app).items():
        methods, path = name.split("] ")
        if any(method in methods for method in ("POST", "PUT", "PATCH", "DELETE")) and path not in reading_too:
            assert declared_need(route) in {Scope.OPERATOR, Scope.ADMIN}, name


def test_a_route_that_says_nothing_needs_an_admin(app: FastAPI) -> None:
    bare = FastAPI()
    bare.add_api_route("/health", lambda: {})
    asked = {"type": "http", "app": bare, "path": "/health", "method": "GET", "headers": []}
    assert need_of(asked) is Scope.ADMIN
    assert need_of({**asked, "path": "/nothing"}) is Scope.VIEWER


def test_the_document_says_what_each_operation_needs(app: FastAPI) -> None:
    document = app.openapi()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key", "session"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            open_to_all = operation[EXTENSION] == "open"
            assert open_to_all == (operation["security"] == []), (path, method)
            assert open_to_all != ("401" in operation["responses"]), (path, method)


@pytest.mark.parametrize(
    ("mine", "may"),
    [(Scope.VIEWER, {"viewer"}), (Scope.OPERATOR, {"viewer", "operator"}), (Scope.ADMIN, set(Scope.values))],
)
def test_each_scope_includes_the_lower_ones(mine: Scope, may: set[str]) -> None:
    who = Principal("n", mine, "key")
    assert {scope.value for scope in Scope if who.may(scope)} == may


@pytest.mark.parametrize("text", ["", "x" * 31, "k" * 20 + " " + "k" * 20, "가" * 40, "k" * 40 + "\n"])
def test_weak_bootstrap_keys_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(WeakKeyError) as refused:
        services.check_bootstrap_key(text)
    assert "LIVEBEAT_BOOTSTRAP_KEY" in str(refused.value)
    assert not text or text not in str(refused.value)


def test_the_bootstrap_key_is_a_secret_setting_and_may_lie_in_a_file(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n", encoding="ascii")
    monkeypatch.setenv("LIVEBEAT_BOOTSTRAP_KEY_FILE", str(tmp_path / "key"))
    settings = Settings()
    assert settings.livebeat_bootstrap_key is not None
    assert settings.livebeat_bootstrap_key.get_secret_value() == "k" * 40
    assert "k" * 40 not in repr(settings)


def test_secrets_are_never_compared_by_equality() -> None:
    """`==` stops at the first byte that differs, and so tells how many fit."""
    secretive = {"secret", "digest", "text", "fits", "row.digest"}
    for node in ast.walk(ast.parse(inspect.getsource(services))):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            assert not {ast.unparse(side) for side in (node.left, *node.comparators)} & secretive, ast.unparse(node)
    assert "hmac.compare_digest(" in inspect.getsource(services.authenticate)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.7", "::ffff:a00:7"),
        ("no address\n", "unknown"),
    ],
)
def test_attempts_are_counted_by_address_or_network(address: str, place: str) -> None:
    assert _place(address) == place
