"""`mtls: strict|permissive`, of the mesh and of single services."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.workload import MtlsMode
from meshc_compiler.lower.field import Fields, as_one_of
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class MtlsSetting:
    """A mode and where it is stated; strict, where nothing is."""

    value: MtlsMode = MtlsMode.STRICT
    origin: Span | None = field(default=None, compare=False, repr=False)


def lower_mtls(fields: Fields, findings: Findings) -> MtlsSetting | None:
    """Return what the field `mtls` says, if it is stated."""
    value = fields.get("mtls")
    if value is None:
        return None
    word = as_one_of(value, "`mtls`", (mode.value for mode in MtlsMode), findings)
    return None if word is None else MtlsSetting(value=MtlsMode(word), origin=fields.span("mtls"))
