"""Codes of family 9xx: style, what is kept silent, and examples that fail."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]

_SHOP = (
    'mesh shop { trust-domain: "shop.example" }\n'
    "service web {}\n"
    "service api { port: 8080/http, versions: [v1, v2] }\n"
    "allow web -> api : * /**\n"
)
_ROUTE = _SHOP + "route api {\n  /v1/** => v1 as stable over orders\n"
_END = "  POST /v1/orders => v2 as orders\n}\n"
_TIDY = _SHOP + "route api {\n  /v1/** => v1 as stable\n" + _END

UNUSED_SUPPRESSION = Code(
    id="MSH901",
    name="unused-suppression",
    severity=Severity.WARNING,
    summary="a comment that suppresses a finding which is not there",
    why="It would hide the finding the day it comes back, and nobody would know.",
    bad=_SHOP + "route api {\n  # meshc: ignore[MSH412] the canary is prepared\n  /v1/** => v1 as stable\n" + _END,
    good=_TIDY,
)

EXPIRED_SUPPRESSION = Code(
    id="MSH902",
    name="expired-suppression",
    severity=Severity.WARNING,
    summary="a suppression whose last day is over",
    why=(
        "`until DATE` is a promise to look again: from the day after it the finding is told as if the comment were "
        "not there. Days are those of UTC."
    ),
    bad=_ROUTE + "  # meshc: ignore[MSH412] v2 is tried first until 2024-06-30\n" + _END,
    good=_TIDY,
)

UNREASONED_SUPPRESSION = Code(
    id="MSH903",
    name="unreasoned-suppression",
    severity=Severity.ERROR,
    summary="a suppression that does not say why",
    why="Whoever reads the line next year must be able to tell whether the reason still holds. Without one it is void.",
    bad=_ROUTE + "  # meshc: ignore[MSH412]\n" + _END,
    good=_ROUTE + "  # meshc: ignore[MSH412] v2 waits for the end of the trial\n" + _END,
)

UNSUPPRESSIBLE = Code(
    id="MSH904",
    name="unsuppressible",
    severity=Severity.ERROR,
    summary="a suppression of a finding that cannot be suppressed",
    why=(
        "Errors of authorisation and of identity are never kept silent, nor is an error without whose cure the program "
        "means nothing that could be enforced."
    ),
    bad=_SHOP + "# meshc: ignore[MSH310] known\nassert never web -> api\n",
    good=_SHOP + "assert only web -> api\n",
)

UNKNOWN_SUPPRESSED_CODE = Code(
    id="MSH905",
    name="unknown-suppressed-code",
    severity=Severity.ERROR,
    summary="a suppression that names a code which does not exist",
    why="A suppression names codes (`MSH412`) or their names (`unreachable-route`); `meshc explain` lists them.",
    bad=_ROUTE + "  # meshc: ignore[unreachable-rout] v2 waits for its turn\n" + _END,
    good=_ROUTE + "  # meshc: ignore[unreachable-route] v2 waits for its turn\n" + _END,
)

MALFORMED_SUPPRESSION = Code(
    id="MSH906",
    name="malformed-suppression",
    severity=Severity.ERROR,
    summary="a comment that seems to suppress something, and does not",
    why=(
        "The form is `# meshc: ignore[MSH412] reason`, perhaps with `until 2027-01-01` at its end, or "
        "`# meshc: ignore-file[MSH412] reason` above the first statement of a file."
    ),
    bad=_ROUTE + "  # meshc: ignore[MSH412] v2 waits until 1.7.2027\n" + _END,
    good=_ROUTE + "  # meshc: ignore[MSH412] v2 waits until 2999-07-01\n" + _END,
)

NOT_CANONICAL = Code(
    id="MSH910",
    name="not-canonical",
    severity=Severity.WARNING,
    summary="a file that is not in the canonical form",
    why=(
        "`meshc fmt` writes every program in one form, so that a change is seen in a review and nothing else is. "
        "`meshc fmt --check` alone tells this; `meshc check` does not mind."
    ),
)

CASE_FAILED = Code(
    id="MSH990",
    name="case-failed",
    severity=Severity.ERROR,
    summary="a case of a test block that fares otherwise than it says",
    why=(
        "`meshc test` asks the policy what becomes of each request in a `test` block. Either the policy is wrong or "
        "the example is: `meshc why` shows the rules that decide. `meshc check` runs no tests and does not tell this."
    ),
)
