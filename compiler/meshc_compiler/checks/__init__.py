"""What is wrong with a mesh that is well-formed: one check one file, and `CHECKS` all of them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshc_compiler.checks.amplification import check_amplification
from meshc_compiler.checks.assertion import check_assertions
from meshc_compiler.checks.capacity import check_capacities
from meshc_compiler.checks.dead_allow import check_dead_allows
from meshc_compiler.checks.deadline_inversion import check_deadline_inversions
from meshc_compiler.checks.ejection import check_ejections
from meshc_compiler.checks.end_user import check_end_user_rules, check_untrusted_denies
from meshc_compiler.checks.folded_path import check_folded_paths
from meshc_compiler.checks.health import check_health
from meshc_compiler.checks.identity import check_shared_identities, check_trust_domain
from meshc_compiler.checks.impossible_guard import check_impossible_guards
from meshc_compiler.checks.limit import check_limits
from meshc_compiler.checks.mirror import check_mirrors
from meshc_compiler.checks.plaintext import check_asserts_of_any, check_denies_of_any, check_plaintext_allows
from meshc_compiler.checks.redundant_allow import check_redundant_allows
from meshc_compiler.checks.retry import check_retries
from meshc_compiler.checks.retry_budget import check_retry_budgets
from meshc_compiler.checks.schema import check_schemas
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.checks.undecided import check_undecided
from meshc_compiler.checks.universal_allow import check_universal_allows
from meshc_compiler.checks.unreachable_service import check_unreachable_services
from meshc_compiler.checks.unsafe_mirror import check_unsafe_mirrors
from meshc_compiler.checks.useless_deny import check_useless_denies
from meshc_lang.diagnostic import Diagnostic

Check = Callable[[CheckSubject], Iterable[Diagnostic]]
"""A check: from a mesh to what it finds."""

CHECKS: tuple[Check, ...] = (
    check_shared_identities,
    check_trust_domain,
    check_unreachable_services,
    check_schemas,
    check_universal_allows,
    check_impossible_guards,
    check_dead_allows,
    check_redundant_allows,
    check_useless_denies,
    check_plaintext_allows,
    check_denies_of_any,
    check_asserts_of_any,
    check_end_user_rules,
    check_untrusted_denies,
    check_assertions,
    check_retries,
    check_retry_budgets,
    check_amplification,
    check_deadline_inversions,
    check_limits,
    check_health,
    check_mirrors,
    check_unsafe_mirrors,
    check_ejections,
    check_capacities,
    check_folded_paths,
    check_undecided,
)
"""The checks, in the order in which they run."""
