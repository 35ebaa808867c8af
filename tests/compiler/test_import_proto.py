"""Which rpcs a `.proto` has, and where; what is no `.proto` is told with a place in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_compiler.finding import Findings
from meshc_compiler.importing.fact import RpcService
from meshc_compiler.importing.proto import read_proto
from meshc_lang.source import SourceText

SHARED = Path(__file__).resolve().parents[3] / "shared"

PROTO3 = """
// package wrong;
/* service Wrong { rpc Nothing (A) returns (B); } */
syntax = "proto3";
import public "other.proto";
package pay . v1;
option (file.opt) = { text: "service Not { rpc X", list: [1, 2], nested { a: '}' } };
message service { string rpc = 1 [deprecated = true, json_name = "} {"]; message Inner { enum service { A = 0; } } }
enum Kind { NONE = 0; }
service Payments {
  option deprecated = false;
  rpc Charge (ChargeRequest) returns (.pay.v1.ChargeResponse);
  rpc Watch (stream Event) returns (stream google.protobuf.Empty) { option (google.api.http) = { get: "/v1/{x}" }; };
  rpc rpc (stream) returns (stream stream) {}
}
service Empty {}
"""


def read(text: str) -> tuple[RpcService, ...] | None:
    return read_proto(SourceText("pay.proto", text), Findings())


def problem(text: str) -> tuple[str, str]:
    """Return what is told about a text, and the characters under the finding."""
    findings = Findings()
    assert read_proto(SourceText("pay.proto", text), findings) is None
    (found,) = findings.all()
    assert found.code.id == "MSH126"
    return found.message.partition("file: ")[2], found.primary.text


def shape(services: tuple[RpcService, ...] | None) -> dict[str, list[str]]:
    assert services is not None
    return {service.name: [rpc.name for rpc in service.rpcs] for service in services}


def test_services_have_full_names_and_rpcs_with_places() -> None:
    services = read(PROTO3)
    assert shape(services) == {"pay.v1.Empty": [], "pay.v1.Payments": ["Charge", "Watch", "rpc"]}
    assert services is not None
    charge = services[1].rpcs[0]
    assert charge.span.text == "Charge"
    assert charge.span.first.line == 12


def test_proto2_editions_and_files_without_a_package() -> None:
    proto2 = """syntax = "proto2"; message A { optional group G = 1 { required int32 x = 1; } extensions 4 to max; }
      extend A { optional string s = 4 [default = "\\"}"]; } service S { rpc M(A) returns(A); stream T (A, A); }"""
    assert shape(read(proto2)) == {"S": ["M"]}
    edition = (
        'edition = "2024"; export message A {} local enum E { X = 0; } package p; service S { rpc M(A) returns (A); }'
    )
    assert shape(read(edition)) == {"p.S": ["M"]}
    assert shape(read("")) == {}


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("package a; package b;", "there is a second `package`", "package b;"),
        ("service S { rpc A (X) returns (Y); ", "the service `S` is never closed", "{"),
        ("service S { rpc A (X) return (Y); }", "behind the request of `A` stands `returns`", "return"),
        ("service S { rpc A (X) returns (Y) }", "the rpc `A` ends with `;` or a block", "}"),
        ("service S { rpc A (X) returns (Y); rpc A (X) returns (Y); }", "the rpc `A` is declared twice", "A"),
        ("service S {} service S {}", "the service `S` is declared twice", "S"),
        ("service S { message A {} }", "a service holds `rpc` and `option`, not `message`", "message"),
        ("message A { string x = 1; ", "this `{` is never closed", "{"),
        ("message A { string x = 1 [a = (1}; }", "`}` closes what `(` opened", "}"),
        ("openapi: 3.0.0", "no statement begins with `openapi`", "openapi"),
        ('syntax = "proto3\n";', "this text is not closed on its line", '"'),
        ("/* service S {}", "this comment is never closed", "/*"),
        ('syntax = "proto3"', "the `syntax` statement does not end with `;`", "syntax"),
        ("service { }", "a service needs a name, and here stands `{`", "{"),
    ],
)
def test_what_is_malformed_is_told_where_it_is(text: str, message: str, where: str) -> None:
    assert problem(text) == (message, where)


@given(
    st.lists(
        st.sampled_from(
            [
                "service",
                "S",
                "{",
                "}",
                "rpc",
                "(",
                ")",
                "returns",
                ";",
                '"',
                "/*",
                "*/",
                "message",
                "package",
                ".",
                "=",
                "option",
                "[",
                "]",
                "\n",
                "stream",
                "//",
                "'",
                "1",
            ]
        )
    ).map(" ".join)
)
def test_no_text_is_beyond_it(text: str) -> None:
    findings = Findings()
    read = read_proto(SourceText("x.proto", text), findings)
    assert (read is None) == (len(findings.all()) == 1)


def test_the_protos_of_spiffe() -> None:
    directory = SHARED / "corpus" / "spiffe-spec" / "standards"
    if not directory.is_dir():
        pytest.skip("the shared corpus is not beside this checkout")
    services = read((directory / "workloadapi.proto").read_text(encoding="utf-8"))
    assert list(shape(services)) == ["SpiffeWorkloadAPI"]
    assert {"FetchX509SVID", "FetchJWTBundles", "ValidateJWTSVID"} <= set(shape(services)["SpiffeWorkloadAPI"])
