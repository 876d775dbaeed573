"""Without credentials the API starts only where nobody else can reach it."""

import pytest

from app.api.exposure import EXIT_CONFIGURATION, is_loopback, refuse_exposure


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_loopback_may_start(host: str) -> None:
    assert is_loopback(host)
    refuse_exposure(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.7", "10.0.0.1", "livebeat.example", "", "127.0.0.1.nip.io"]
)
def test_anything_else_ends_the_process_with_one_line(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        refuse_exposure(host)
    assert refused.value.code == EXIT_CONFIGURATION == 78
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "API_HOST=127.0.0.1" in printed
    assert "인증 없음" in printed
