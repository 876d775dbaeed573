"""`load_complexes`: complexes to watch, from JSON."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from app.domains.realestate.models import Complex
from simulators import world

pytestmark = pytest.mark.django_db


def load(path: Path, content: object, *options: str) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    out = io.StringIO()
    call_command("load_complexes", str(path), *options, stdout=out)
    return out.getvalue().strip()


def test_complexes_are_created_once(tmp_path: Path) -> None:
    file = tmp_path / "complexes.json"
    assert load(file, world.complex_list()) == "6 created, 0 updated, 0 kept"
    assert load(file, world.complex_list()) == "0 created, 0 updated, 6 kept"
    renamed = [{"complex_id": "109208", "complex_name": "새 이름"}]
    assert load(file, renamed) == "0 created, 0 updated, 1 kept"
    assert load(file, renamed, "--update") == "0 created, 1 updated, 0 kept"
    assert Complex.objects.get(complex_id="109208").complex_name == "새 이름"


@pytest.mark.parametrize(
    "content",
    [
        {},
        [1],
        [{"complex_id": "../x", "complex_name": "n"}],
        [{"complex_id": "1", "complex_name": ""}],
        [{"complex_id": "1", "complex_name": "fine"}, {"complex_name": "no number"}],
    ],
)
def test_what_cannot_be_used_is_refused_whole(tmp_path: Path, content: object) -> None:
    with pytest.raises(CommandError):
        load(tmp_path / "complexes.json", content)
    assert not Complex.objects.exists()
