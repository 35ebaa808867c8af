"""Strings are written as Python's `json` writes them, imported or not."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from meshc_lang.json_string import json_ascii, json_text


@given(st.text() | st.text(alphabet='a"\\\x7fé\n ', max_size=6))
def test_strings_are_those_of_json(text: str) -> None:
    assert json_text(text) == json.dumps(text, ensure_ascii=False)
    assert json_ascii(text) == json.dumps(text)
