"""What is wrong with a mesh that is well-formed: one check one file, and `CHECKS` all of them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshc_compiler.checks.subject import CheckSubject
from meshc_lang.diagnostic import Diagnostic

Check = Callable[[CheckSubject], Iterable[Diagnostic]]
"""A check: from a mesh to what it finds."""

CHECKS: tuple[Check, ...] = ()
"""The checks, in the order in which they run."""
