"""The form of an answer shows what changed and nothing of what it said."""

import json
import string

from hypothesis import given
from hypothesis import strategies as st

from app.clients.form import LONGEST, form_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=50), inner, max_size=5),
    max_leaves=30,
)


def test_names_stay_and_content_goes() -> None:
    answer = {"isMoreData": True, "list": [{"price": "11억 5,000", "tel": "010-1234-5678", "no": 2553710278}] * 5}
    item = {"price": "00억 0,000", "tel": "000-0000-0000", "no": 0}
    assert json.loads(form_of(answer)) == {"isMoreData": True, "list": [item, item, "… 5"]}
    assert json.loads(form_of({"김철수": 1, "a1b2": "Bearer eyJ.x"})) == {"aaa": 0, "a0a0": "aaaaaa aaa.a"}


@given(JSON)
def test_any_answer_has_a_short_form(data: object) -> None:
    assert len(form_of(data)) <= LONGEST


@given(st.lists(st.text(alphabet="김철수abcXYZ0123456789@.", min_size=1), max_size=2))
def test_no_letter_and_no_digit_survives(texts: list[str]) -> None:
    assert set("".join(json.loads(form_of(texts)))) <= set("0a@.…")


@given(st.text(min_size=1, max_size=200))
def test_a_text_keeps_its_length_and_its_punctuation_only(text: str) -> None:
    shown = json.loads(form_of(text))
    assert set(shown) <= set("0a…억만조원" + string.punctuation + " ")
    assert len(shown) == len(text) if len(text) <= 40 else len(shown) == 41
