"""docs/time.md: each rule in it is one, and the words beside it are what `describe` says."""

import json
import re
from pathlib import Path

from livebeat.rules import describe, from_json

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "time.md").read_text(encoding="utf-8")


def test_the_words_on_the_page_are_those_of_the_describer() -> None:
    rows = re.findall(r"^\| `(\{.+\})` \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 9
    for text, english, korean in rows:
        rule = from_json(json.loads(text))
        assert (describe(rule, "en"), describe(rule, "ko")) == (english, korean)


def test_every_rule_on_the_page_is_one() -> None:
    texts = [text for text in re.findall(r"`(\{\"kind\".+?\})` \|", PAGE) if "{…}" not in text]
    texts += re.findall(r"```json\n(.+?)\n```", PAGE, re.DOTALL)
    assert len(texts) >= 16
    for text in texts:
        assert from_json(json.loads(text)).to_json()
