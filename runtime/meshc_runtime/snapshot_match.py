"""Which requests a part of a snapshot is about: paths and conditions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from meshc_runtime.path import parse_template
from meshc_runtime.regex import LinearRegex
from meshc_runtime.snapshot_part import HeaderName, Part


class TemplatePath(Part):
    """A path matched segment by segment on the canonical path, such as `/v1/orders/{id:int}/**`."""

    kind: Literal["template"] = "template"
    template: Annotated[str, Field(pattern=r"^/", max_length=4096)]

    @field_validator("template")
    @classmethod
    def _can_be_compiled(cls, template: str) -> str:
        parse_template(template)
        return template


class RegexPath(Part):
    """A path matched whole by an RE2 expression on the canonical path."""

    kind: Literal["regex"] = "regex"
    regex: Annotated[str, Field(max_length=4096)]

    @field_validator("regex")
    @classmethod
    def _can_be_compiled(cls, regex: str) -> str:
        LinearRegex(regex)
        return regex


PathPattern = Annotated[TemplatePath | RegexPath, Field(discriminator="kind")]


class AllConditions(Part):
    """True when every part is; an empty one is true."""

    kind: Literal["all"] = "all"
    of: tuple[Condition, ...]


class AnyCondition(Part):
    """True when one part is; an empty one is false."""

    kind: Literal["any"] = "any"
    of: tuple[Condition, ...]


class NotCondition(Part):
    """True when its part is not."""

    kind: Literal["not"] = "not"
    of: Condition


class HeaderPresent(Part):
    """True when the request has at least one line of this header, be it empty."""

    kind: Literal["header-present"] = "header-present"
    name: HeaderName


class HeaderEquals(Part):
    """True when one member of the header, lines split at commas, is exactly this value."""

    kind: Literal["header-equals"] = "header-equals"
    name: HeaderName
    value: str


class HeaderOneOf(Part):
    """True when one member of the header is one of these values."""

    kind: Literal["header-one-of"] = "header-one-of"
    name: HeaderName
    values: tuple[str, ...]


Condition = Annotated[
    AllConditions | AnyCondition | NotCondition | HeaderPresent | HeaderEquals | HeaderOneOf,
    Field(discriminator="kind"),
]


AllConditions.model_rebuild()
AnyCondition.model_rebuild()
NotCondition.model_rebuild()
