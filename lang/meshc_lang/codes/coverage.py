"""Codes 48x: what the tests of a program leave out."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = ["Code", "Severity"]

NOT_EXERCISED = Code(
    id="MSH480",
    name="not-exercised",
    severity=Severity.WARNING,
    summary="a sentence that decides requests of which no test asks any",
    why=(
        "`meshc test --cover` divides the requests to each port into classes, each decided by one sentence or by the "
        "want of one, and tells those that no case of a `test` block is about. The witness is a request of the class: "
        "`meshc test --fill` writes a case for it. `meshc check` runs no tests and does not tell this."
    ),
)

UNNOTICED_CHANGE = Code(
    id="MSH481",
    name="unnoticed-change",
    severity=Severity.WARNING,
    summary="a change of a sentence that alters the fate of requests, and that no test or assert would notice",
    why=(
        "`meshc test --mutate` takes each sentence away, and changes some of them a little: a method more or less, a "
        "caller more or less, no condition. Where the fate of a request changes and all tests and asserts hold all the "
        "same, the change could be made by mistake and nobody would know. The witness is a request whose fate changes: "
        "a case about it would notice. `meshc check` runs no tests and does not tell this."
    ),
)
