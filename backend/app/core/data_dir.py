"""The data folder: whether it can be used, and the one secret that the platform makes and keeps there."""

import os
import secrets
from pathlib import Path

from app.core.settings_problems import Problem

SECRET_FILE = "secret_key"  # noqa: S105  a file's name


def folder_problems(folder: Path) -> list[Problem]:
    """Why the folder can't be written to, or made; nothing is made here."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    en, ko = f"{nearest} is no folder that can be written to.", f"{nearest}은(는) 쓸 수 있는 폴더가 아닙니다."
    return [Problem("LIVEBEAT_DATA_DIR", en, ko)]


def kept_secret(folder: Path) -> str:
    """A random secret, made at the first call and the same ever after, readable by its owner alone.

    Raises:
        OSError: the folder can't be written to.
    """
    path = folder / SECRET_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_once(path, secrets.token_urlsafe(48))
    return path.read_text(encoding="ascii")


def _write_once(path: Path, text: str) -> None:
    """Whole or not at all, and never over what another process wrote first."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text)
        path.hardlink_to(draft)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
