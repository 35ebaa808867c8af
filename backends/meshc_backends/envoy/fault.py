"""Injected faults (`envoy.extensions.filters.http.fault.v3.HTTPFault`): a filter for each, behind authorisation.

At the callee the caller is known from the identity header, which Envoy itself has made of the verified certificate
before any filter is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from meshc_backends.carried import NotCarriedError
from meshc_backends.envoy.message import Message, duration, typed
from meshc_backends.envoy.path_match import quote
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.traffic import Fault

HTTP_FAULT = "envoy.extensions.filters.http.fault.v3.HTTPFault"

_IDENTITY = "x-forwarded-client-cert"


def fault_name(fault: Fault) -> str:
    """Return the name of a fault's filter."""
    return f"fault {fault.name}"


def inbound_faults(faults: Iterable[Fault]) -> tuple[Message, ...]:
    """Return the filters at the callee, each for the calls of those whom the fault names."""
    return tuple(
        {"name": fault_name(fault), "typed_config": _fault(fault, headers=_callers(fault.callers))} for fault in faults
    )


def outbound_faults(faults: Iterable[Fault]) -> tuple[Message, ...]:
    """Return the filters at the caller, which do nothing until a virtual host says what."""
    return tuple(
        {"name": fault_name(fault), "typed_config": typed(HTTP_FAULT)}
        for fault in {fault.name: fault for fault in faults}.values()
    )


def faults_per_route(faults: Iterable[Fault]) -> Message:
    """Return the `typed_per_filter_config` by which the calls to an external meet its faults."""
    return {fault_name(fault): _fault(fault, headers=[]) for fault in faults}


def _fault(fault: Fault, *, headers: list[Message]) -> Message:
    share = {"numerator": fault.share, "denominator": "MILLION"}
    fields: Message = {}
    if fault.delay_ns is not None:
        fields["delay"] = {"fixed_delay": duration(fault.delay_ns), "percentage": share}
    if fault.abort_status is not None:
        fields["abort"] = {"http_status": fault.abort_status, "percentage": share}
    if headers:
        fields["headers"] = headers
    return typed(HTTP_FAULT, **fields)


def _callers(callers: Callers) -> list[Message]:
    match callers:
        case AnyCaller(()):
            return []
        case TheseCallers(ids):
            text = "|".join(quote(str(identity)) for identity in ids)
            expression = f"(?:[^,]*;)?URI=(?:{text})(?:;[^,]*)?"
            return [{"name": _IDENTITY, "string_match": {"safe_regex": {"regex": expression}}}]
        case AnyCaller() | PlaintextCaller():
            raise NotCarriedError(callers)
        case _:
            assert_never(callers)
