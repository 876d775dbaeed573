"""Numbers as `date` prints them become JSON's; text stays as it is."""

import json

import pytest

from app.api.shell_json import without_leading_zeros


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"hour": 08, "minute": 09}', {"hour": 8, "minute": 9}),
        ('{"hour":00,"minute":0}', {"hour": 0, "minute": 0}),
        ('{"hour": 10, "minute": 100, "x": 1.05, "y": [007, 0.5, 1e05]}',
         {"hour": 10, "minute": 100, "x": 1.05, "y": [7, 0.5, 1e5]}),
        ('{"name": "08:05 \\" 007", "hour": 08}', {"name": '08:05 " 007', "hour": 8}),
        ('{"이름 01": "02", "hour": 03}', {"이름 01": "02", "hour": 3}),
    ],
)  # fmt: skip
def test_leading_zeros(body: str, value: object) -> None:
    assert json.loads(without_leading_zeros(body.encode())) == value


@pytest.mark.parametrize(
    "body", ['{"hour": }', '{"a": "unclosed 08}', "{", "", '{"x": -08}', "\\" * 50_000 + '"', '"' + '\\"' * 100_000]
)
def test_what_is_no_json_stays_none(body: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(without_leading_zeros(body.encode()))
