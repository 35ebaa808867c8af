"""Whether a program has anything to expand: most have not, and pay nothing for it."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_lang.tree.claim import AssertDecl
from meshc_lang.tree.declaration import LetDecl
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import Grant, HttpMatcher, Matcher, PathName
from meshc_lang.tree.statement import (
    AllowDecl,
    AnyStatement,
    DenyDecl,
    LimitDecl,
    MirrorDecl,
    OverlayDecl,
    RouteDecl,
    TemplateDecl,
    UseDecl,
)


def needs_expansion(statements: Iterable[AnyStatement]) -> bool:
    """Tell whether a program defines or uses what is expanded, or names a value where only a value can stand."""
    return any(_needs(statement) for statement in statements)


def _needs(statement: AnyStatement) -> bool:
    match statement:
        case LetDecl() | TemplateDecl() | UseDecl() | OverlayDecl():
            return True
        case AllowDecl() | DenyDecl():
            return _names_a_path(statement.grants)
        case RouteDecl():
            return any(
                _is_path_name(rule.matcher) or any(isinstance(target.share, Name) for target in rule.targets)
                for rule in statement.rules
            )
        case LimitDecl():
            return isinstance(statement.rate, Name) or isinstance(statement.burst, Name)
        case MirrorDecl():
            return _is_path_name(statement.matcher) or isinstance(statement.target.share, Name)
        case AssertDecl():
            return _names_a_path(getattr(statement.claim, "grants", ()))
    return False


def _names_a_path(grants: tuple[Grant, ...]) -> bool:
    return any(_is_path_name(grant.matcher) for grant in grants)


def _is_path_name(matcher: Matcher) -> bool:
    return isinstance(matcher, HttpMatcher) and isinstance(matcher.path, PathName)
