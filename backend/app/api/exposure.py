"""Whether we may answer on an address: without credentials, only where nobody else can reach us."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from django.db import DatabaseError, InterfaceError, connection
from pydantic import SecretStr

from app.access.errors import WeakKeyError
from app.access.models import ApiKey
from app.access.services import BOOTSTRAP_SETTING, check_bootstrap_key, ensure_bootstrap_key, keys_exist
from app.core.settings import Settings

logger = logging.getLogger(__name__)

#: BSD's EX_CONFIG: a supervisor must not start us again before somebody changed the settings.
EXIT_CONFIGURATION = 78


_OUTCOMES = {
    "made": "made the first key, an admin's, named bootstrap",
    "known": "its key was made before",
    "ignored": "not used, since there are other keys already",
}


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_start(settings: Settings) -> None:
    """End the process with one line where it must not answer; say so where it answers everybody.

    A database that is away decides nothing: the process starts, and lets nobody in.

    Raises:
        SystemExit: with status 78.
    """
    refuse_weak_bootstrap(settings.livebeat_bootstrap_key)
    # Imported by a server whose event loop runs already, where Django refuses to ask a database.
    with ThreadPoolExecutor(1) as pool:
        any_keys = pool.submit(_any_keys, settings.livebeat_bootstrap_key).result()
    bootstrap = settings.livebeat_bootstrap_key is not None
    refuse_exposure(settings.api_host, has_credentials=bootstrap or any_keys is not False)
    if any_keys is False and not bootstrap:
        logger.warning(
            "No API key was made yet: everybody on this machine may do everything. Make one: "
            "backend/manage.py api_key create NAME --scope admin / API 키가 없어 이 컴퓨터의 누구나 모든 작업을 할 수 있습니다."
        )


def refuse_weak_bootstrap(key: SecretStr | None) -> None:
    """End the process with one line where the bootstrap key would protect nothing.

    Raises:
        SystemExit: with status 78.
    """
    try:
        if key is not None:
            check_bootstrap_key(key.get_secret_value())
    except WeakKeyError as error:
        sys.stderr.write(f"{error.text('en')} / {error.text('ko')}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None


def refuse_exposure(host: str, *, has_credentials: bool = False) -> None:
    """End the process with one line where `host` can be reached from elsewhere and nobody would have to show a key.

    Raises:
        SystemExit: with status 78.
    """
    if has_credentials or is_loopback(host):
        return
    sys.stderr.write(
        f"API_HOST={host} can be reached from elsewhere, and there are no credentials yet: set LIVEBEAT_BOOTSTRAP_KEY, "
        "make a key (backend/manage.py api_key create NAME --scope admin), or set API_HOST=127.0.0.1. / "
        f"API_HOST={host}: 다른 컴퓨터에서 접속할 수 있는 주소입니다(인증 없음). LIVEBEAT_BOOTSTRAP_KEY를 설정하거나 "
        "API 키를 만들거나 API_HOST=127.0.0.1로 설정하세요.\n"
    )
    raise SystemExit(EXIT_CONFIGURATION)


def _any_keys(bootstrap: SecretStr | None) -> bool | None:
    """Whether a key was ever made, the bootstrap key among them; None where the database can't be asked."""
    try:
        if ApiKey._meta.db_table not in connection.introspection.table_names():
            return False
        if bootstrap is not None:
            outcome = ensure_bootstrap_key(bootstrap.get_secret_value())
            logger.info("%s: %s", BOOTSTRAP_SETTING, _OUTCOMES[outcome])
        return keys_exist()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the database can't be asked for API keys: %s", " ".join(str(error).split()))
        return None
    finally:
        connection.close()
