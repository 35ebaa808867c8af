"""A service may be called otherwise in the program than in the cluster."""

from __future__ import annotations

from meshc_backends.placement import host_names
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program

HEAD = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\n'


def compiled(text: str) -> CompileResult:
    return compile_program(("shop.mesh",), MemoryReader({"shop.mesh": HEAD + text}))


def test_callers_reach_a_service_by_its_name_in_the_cluster() -> None:
    result = compiled("service pay { service-name: pay-svc, port: 8080/http }\nallow web -> pay : GET /\n")
    assert result.diagnostics == ()
    assert result.index is not None
    service = result.index.services["pay"]
    assert host_names(service, service.ports[0])[:2] == ("pay-svc", "pay-svc.default")


def test_account_and_pods_follow_the_name_in_the_cluster_unless_they_are_stated() -> None:
    result = compiled("service pay { service-name: pay-svc, port: 8080/http }\nallow web -> pay : GET /\n")
    assert result.index is not None
    workload = result.index.workloads["pay"]
    assert str(workload.spiffe_id) == "spiffe://shop.example/ns/default/sa/pay-svc"
    assert workload.selector == (("app", "pay-svc"),)
    stated = compiled(
        "service pay { service-name: pay-svc, service-account: payer, port: 8080/http }\nallow web -> pay : GET /\n"
    )
    assert stated.index is not None
    assert stated.index.workloads["pay"].service_account == "payer"


def test_two_services_of_one_name_in_the_cluster_are_refused() -> None:
    result = compiled(
        "service pay { port: 8080/http }\n"
        "service bill { service-name: pay, service-account: bill, port: 8080/http }\n"
        "allow web -> pay : GET /\nallow web -> bill : GET /\n"
    )
    assert [diagnostic.code.id for diagnostic in result.diagnostics] == ["MSH112"]


def test_a_name_that_no_kubernetes_service_can_have_is_refused() -> None:
    result = compiled("service pay { service-name: Pay_Svc, port: 8080/http }\nallow web -> pay : GET /\n")
    assert result.mesh is None or result.diagnostics
    assert all(diagnostic.primary.text == "Pay_Svc" for diagnostic in result.diagnostics)
