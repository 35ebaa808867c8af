"""Renderers: findings, decisions and reports as text for people and JSON for programs. They decide nothing."""

from __future__ import annotations

from typing import Literal, get_args

Form = Literal["text", "json", "sarif", "github", "junit", "gitlab"]
FORMS: tuple[Form, ...] = get_args(Form)
"""The formats in which findings are told, as `--format` names them."""
