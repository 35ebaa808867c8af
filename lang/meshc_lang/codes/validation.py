"""Codes of family 88x: files that were read back and found not to mean what the program says."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = [
    "FILE_BEHAVES_OTHERWISE",
    "FILE_DECIDES_OTHERWISE",
    "FILE_NOT_DECIDED",
    "FILE_NOT_UNDERSTOOD",
    "FILE_TRUSTS_OTHERWISE",
]

_OURS = " It is a mistake of the compiler, not of the program: please report it. Nothing was written."

FILE_DECIDES_OTHERWISE = Code(
    id="MSH880",
    name="file-decides-otherwise",
    severity=Severity.ERROR,
    summary="an emitted file decides or routes some request otherwise than the program",
    why=(
        "Each build reads its files back by other code than wrote them, by the target's own documentation, and "
        "compares what they do with the program for every request. The request that is shown is one for which the two "
        "differ." + _OURS
    ),
)

FILE_BEHAVES_OTHERWISE = Code(
    id="MSH881",
    name="file-behaves-otherwise",
    severity=Severity.ERROR,
    summary="by an emitted file calls would behave otherwise than the program states",
    why=(
        "Timeouts, retries, limits, faults, breakers, balancing and health checks are read back from the file, with "
        "the defaults that the target puts where the file says nothing, and must be those that hold for the call in "
        "the program." + _OURS
    ),
)

FILE_TRUSTS_OTHERWISE = Code(
    id="MSH882",
    name="file-trusts-otherwise",
    severity=Severity.ERROR,
    summary="by an emitted file another peer would be believed, asked for or reached",
    why=(
        "Who is believed follows from the names and roots that a sidecar asks of a certificate, whom a call reaches "
        "from its addresses and server names. They are read back and must be those of the program's identities." + _OURS
    ),
)

FILE_NOT_UNDERSTOOD = Code(
    id="MSH883",
    name="file-not-understood",
    severity=Severity.ERROR,
    summary="an emitted file says something that its reader does not know",
    why=(
        "What is not known where it could change the meaning of a file is never passed over: the proof would be one of "
        "another file." + _OURS
    ),
)

FILE_NOT_DECIDED = Code(
    id="MSH884",
    name="file-not-decided",
    severity=Severity.ERROR,
    summary="whether an emitted file means what the program says could not be decided",
    why=(
        "The file does not say the same rule by rule, and there are too many classes of requests to compare them one "
        "by one. What is not proved is not written."
    ),
)
