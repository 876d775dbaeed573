"""Whether we may answer on an address: without credentials, only where nobody else can reach us."""

import sys
from ipaddress import ip_address

#: BSD's EX_CONFIG: a supervisor must not start us again before somebody changed the settings.
EXIT_CONFIGURATION = 78


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_exposure(host: str) -> None:
    """End the process with one line where `host` can be reached from elsewhere.

    Raises:
        SystemExit: with status 78.
    """
    if is_loopback(host):
        return
    sys.stderr.write(
        f"API_HOST={host} would let everybody in: there are no credentials yet. Set API_HOST=127.0.0.1. / "
        f"API_HOST={host}에서는 누구나 접속할 수 있습니다(인증 없음). API_HOST=127.0.0.1로 설정하세요.\n"
    )
    raise SystemExit(EXIT_CONFIGURATION)
