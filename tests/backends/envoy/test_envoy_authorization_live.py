"""Who may call what, decided by a real Envoy at the callee."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest

from meshc_compiler.ir.match import AllOf, AnyOf, Not
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.policy import Effect
from support.envoy_mesh import EnvoyMesh
from support.http_call import Answer, call, client_context
from support.ir_mesh import DOMAIN, allow, callers, deny, header, match, present, rule, service, spiffe, workload

UUID = "00000000-0000-4000-8000-00000000000a"

B_IS_1 = header("x-b", "1")

RULES = (
    allow("web", "api", match("/exact", "GET")),
    allow("web", "api", match("/tree/**", "GET", "HEAD")),
    allow("web", "api", match("/tree.x/a+b/{id}", "GET")),
    allow("web", "api", match("/int/{id:int}", "GET")),
    allow("web", "api", match("/uuid/{id:uuid}/parts/**", "GET")),
    allow("web", "api", match("/slug/{id:slug}", "GET")),
    allow("web", "api", match("/esc%3Aaped/%20/x", "GET")),
    allow("web", "api", match("~/re/[a-c]+%3A/[^/]*", "GET")),
    allow("web", "api", match("/", "GET")),
    allow("web", "api", match("/pkg.Svc/*", "POST")),
    allow("any", "api", match("/public", "GET")),
    rule(Effect.ALLOW, callers("web", "job"), "api", match("/both")),
    deny("any", "api", match("/tree/secret/**")),
    deny("job", "api", match("/both", "DELETE")),
    allow("web", "api", match("/h/eq", when=header("x-role", "admin"))),
    allow("web", "api", match("/h/ne", when=Not(header("x-role", "admin")))),
    allow("web", "api", match("/h/in", when=header("x-role", "a", "b"))),
    allow("web", "api", match("/h/empty", when=header("x-role", ""))),
    allow("web", "api", match("/h/present", when=present("x-role"))),
    allow("web", "api", match("/h/absent", when=Not(present("x-role")))),
    allow("web", "api", match("/h/mix", when=AllOf((present("x-a"), AnyOf((B_IS_1, Not(header("x-c", "2")))))))),
    allow("web", "api", match("/h/deny")),
    deny("any", "api", match("/h/deny", when=Not(header("x-role", "admin")))),
)


FORMS = {"one by one": (10**9, 8), "tree": (1, 8), "tree, down to single rules": (1, 0)}
"""From how many rules on there is a tree, and how many may stand in a list of it."""


@pytest.fixture(scope="module", params=FORMS)
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    tree_from, list_at_most = FORMS[request.param]
    value = Mesh(
        name="authorization",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in ("api", "job", "other", "shut", "web")),
        services=(service("api"), service("shut")),
        rules=RULES,
    )
    with (
        mock.patch("meshc_backends.envoy.rbac.TREE_FROM", tree_from),
        mock.patch("meshc_backends.envoy.rule_tree._LIST_AT_MOST", list_at_most),
        EnvoyMesh(value, tmp_path_factory.mktemp("mesh")) as running,
    ):
        yield running


def ask(mesh: EnvoyMesh, target: str, *, caller: str = "web", method: str = "GET", **headers: str) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return call(mesh.inbound("api"), method, target, headers=lines, tls=mesh.peer(caller))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/exact", 200),
        ("GET", "/exact/", 200),
        ("GET", "/exact?x=/tree/secret", 200),
        ("POST", "/exact", 403),
        ("GET", "/exactly", 403),
        ("GET", "/exact/more", 403),
        ("GET", "/EXACT", 403),
        ("GET", "/tree", 200),
        ("GET", "/tree/", 200),
        ("GET", "/tree/a/b/", 200),
        ("HEAD", "/tree/a", 200),
        ("GET", "/treehouse", 403),
        ("GET", "/tree/secret", 403),
        ("GET", "/tree/secret/", 403),
        ("GET", "/tree/secret/x", 403),
        ("GET", "/tree/secrets", 200),
        ("GET", "/tree.x/a+b/7", 200),
        ("GET", "/treeAx/a+b/7", 403),
        ("GET", "/tree.x/aab/7", 403),
        ("GET", "/tree.x/a+b/", 403),
        ("GET", "/tree.x/a+b/7/8", 403),
        ("GET", "/int/42", 200),
        ("GET", "/int/42/", 200),
        ("GET", "/int/4a", 403),
        ("GET", "/int/", 403),
        ("GET", f"/uuid/{UUID}/parts", 200),
        ("GET", f"/uuid/{UUID.upper()}/parts/1/2", 200),
        ("GET", f"/uuid/{UUID}0/parts", 403),
        ("GET", "/slug/a-9", 200),
        ("GET", "/slug/A-9", 403),
        ("GET", "/esc%3Aaped/%20/x", 200),
        ("GET", "/re/abc%3A/x", 200),
        ("GET", "/re/abd%3A/x", 403),
        ("GET", "/x/re/abc%3A/x", 403),
        ("GET", "/", 200),
        ("GET", "/nowhere", 403),
        ("POST", "/pkg.Svc/Method", 200),
        ("POST", "/pkgXSvc/Method", 403),
        ("POST", "/pkg.Svc/Method/x", 403),
        ("GET", "/public", 200),
    ],
)
def test_methods_and_paths(mesh: EnvoyMesh, method: str, target: str, status: int) -> None:
    assert ask(mesh, target, method=method).status == status


@pytest.mark.parametrize(
    ("caller", "method", "target", "status"),
    [
        ("job", "GET", "/exact", 403),
        ("job", "GET", "/both", 200),
        ("web", "DELETE", "/both", 200),
        ("job", "DELETE", "/both", 403),
        ("other", "GET", "/both", 403),
        ("other", "GET", "/public", 200),
    ],
)
def test_callers(mesh: EnvoyMesh, caller: str, method: str, target: str, status: int) -> None:
    assert ask(mesh, target, caller=caller, method=method).status == status


@pytest.mark.parametrize(
    ("target", "lines", "status"),
    [
        ("/h/eq", [], 403),
        ("/h/eq", ["admin"], 200),
        ("/h/eq", ["Admin"], 403),
        ("/h/eq", ["admin2"], 403),
        ("/h/eq", ["user", "admin"], 200),
        ("/h/eq", ["user,admin"], 200),
        ("/h/eq", ["user, admin"], 200),
        ("/h/eq", ["user,  admin"], 403),
        ("/h/eq", ["admin,user"], 200),
        ("/h/eq", ["admin ,user"], 403),
        ("/h/eq", ["a, admin, b"], 200),
        ("/h/eq", ["a,admin,b"], 200),
        ("/h/eq", ["a,xadmin,b"], 403),
        ("/h/eq", ["  admin  "], 200),
        ("/h/eq", [b"admin\xff"], 403),
        ("/h/ne", [], 200),
        ("/h/ne", ["user"], 200),
        ("/h/ne", [""], 200),
        ("/h/ne", ["admin"], 403),
        ("/h/ne", ["user", "admin"], 403),
        ("/h/ne", ["user, admin"], 403),
        ("/h/ne", [b"\xff", "admin"], 403),
        ("/h/in", ["b"], 200),
        ("/h/in", ["c,a"], 200),
        ("/h/in", ["c"], 403),
        ("/h/empty", [], 403),
        ("/h/empty", [""], 200),
        ("/h/empty", ["a,"], 200),
        ("/h/empty", ["a, ,b"], 200),
        ("/h/empty", ["a", ""], 200),
        ("/h/empty", ["a"], 403),
        ("/h/present", [], 403),
        ("/h/present", [""], 200),
        ("/h/present", ["x"], 200),
        ("/h/absent", [], 200),
        ("/h/absent", [""], 403),
        ("/h/deny", [], 403),
        ("/h/deny", ["user"], 403),
        ("/h/deny", [b"\xff"], 403),
        ("/h/deny", ["admin"], 200),
        ("/h/deny", ["user,admin"], 200),
    ],
)
def test_header_conditions(mesh: EnvoyMesh, target: str, lines: list[str | bytes], status: int) -> None:
    answer = call(
        mesh.inbound("api"), "GET", target, headers=[("X-Role", line) for line in lines], tls=mesh.peer("web")
    )
    assert answer.status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x_a": "1"}, 200),
        ({"x_a": "1", "x_c": "2"}, 403),
        ({"x_a": "1", "x_b": "1", "x_c": "2"}, 200),
        ({"x_b": "1"}, 403),
    ],
)
def test_conditions_combine(mesh: EnvoyMesh, headers: dict[str, str], status: int) -> None:
    assert ask(mesh, "/h/mix", **headers).status == status


def test_an_expression_is_about_upper_case_escapes_so_others_are_refused(mesh: EnvoyMesh) -> None:
    assert ask(mesh, "/re/abc%3a/x").status == 400
    assert ask(mesh, "/esc%3aaped/%20/x").status == 400  # on the same port: the expression might be a deny


def test_nobody_may_call_a_service_without_rules(mesh: EnvoyMesh) -> None:
    answer = call(mesh.inbound("shut"), "GET", "/", tls=mesh.peer("web"))
    assert answer.status == 403
    assert mesh.backend("shut").seen == []


def test_the_application_learns_the_verified_caller_and_no_other(mesh: EnvoyMesh) -> None:
    forged = "URI=spiffe://test.example/ns/default/sa/root"
    answer = call(
        mesh.inbound("api"),
        "GET",
        "/exact",
        headers=[("X-Forwarded-Client-Cert", forged), ("x-forwarded-client-cert", forged)],
        tls=mesh.peer("web"),
    )
    assert answer.status == 200
    [line] = mesh.backend("api").last.all("x-forwarded-client-cert")
    by, digest, uri = line.split(";")
    assert by == f"By={spiffe('api')}"
    assert digest.startswith("Hash=")
    assert uri == f"URI={spiffe('web')}"


def test_a_denied_caller_is_not_told_why_but_the_log_is(mesh: EnvoyMesh) -> None:
    answer = ask(mesh, "/tree/secret", x_request_id="denied-1")
    assert (answer.status, answer.body) == (403, b"forbidden")
    assert answer.get("server") is None
    line = mesh.sidecars["api"].logged_request("denied-1")
    assert line["rule"] == "deny any -> api * /tree/secret/**"
    assert (line["status"], line["direction"], line["callee"], line["port"]) == (403, "inbound", "api", 8080)
    assert line["caller"] == str(spiffe("web"))
    ask(mesh, "/tree/a?token=secret", x_request_id="allowed-1")
    line = mesh.sidecars["api"].logged_request("allowed-1")
    assert line["rule"] == "allow web -> api GET|HEAD /tree/**"
    assert line["path"] == "/tree/a"
    ask(mesh, "/nowhere", x_request_id="nobody-1")
    assert mesh.sidecars["api"].logged_request("nobody-1")["rule"] is None


def test_rules_have_counters(mesh: EnvoyMesh) -> None:
    ask(mesh, "/tree/secret")
    metrics = call(mesh.listeners["api"].metrics.port, "GET", "/stats/prometheus").body.decode()
    wanted = 'envoy_http_rbac_policy_denied{envoy_rbac_policy_name="deny any -> api * /tree/secret/**"'
    assert any(line.startswith(wanted) and not line.endswith(" 0") for line in metrics.splitlines())


def test_header_names_that_applications_confuse_are_refused(mesh: EnvoyMesh) -> None:
    answer = call(mesh.inbound("api"), "GET", "/exact", headers=[("x_role", "admin")], tls=mesh.peer("web"))
    assert answer.status == 400


class TestPeers:
    """What does not get as far as a request."""

    def refused(self, mesh: EnvoyMesh, **defects: object) -> bool:
        before = len(mesh.backend("api").seen)
        issued = mesh.authority.issue("defective", str(spiffe("web")), **defects)  # type: ignore[arg-type]
        try:
            call(mesh.inbound("api"), "GET", "/exact", tls=client_context(issued))
        except OSError:
            return len(mesh.backend("api").seen) == before
        return False

    def test_a_sound_certificate_is_let_in(self, mesh: EnvoyMesh) -> None:
        assert not self.refused(mesh)

    def test_of_an_unknown_authority(self, mesh: EnvoyMesh) -> None:
        assert self.refused(mesh, rogue=True)

    def test_expired(self, mesh: EnvoyMesh) -> None:
        assert self.refused(mesh, expired=True)

    def test_not_yet_valid(self, mesh: EnvoyMesh) -> None:
        assert self.refused(mesh, not_yet_valid=True)

    def test_without_identity(self, mesh: EnvoyMesh) -> None:
        assert self.refused(mesh, without_uri=True)
        assert self.refused(mesh, without_uri=True, dns_names=(str(spiffe("web")).removeprefix("spiffe://"),))

    def test_of_another_trust_domain(self, mesh: EnvoyMesh) -> None:
        path = "/ns/default/sa/web"
        assert self.refused(mesh, without_uri=True, more_uris=(f"spiffe://{DOMAIN}.evil{path}",))
        assert self.refused(mesh, without_uri=True, more_uris=(f"spiffe://evil{path}",))

    @pytest.mark.parametrize("other", [str(spiffe("job")), "https://example.org/"])
    def test_with_two_identities(self, mesh: EnvoyMesh, other: str) -> None:
        assert self.refused(mesh, more_uris=(other,))
        assert self.refused(mesh, without_uri=True, more_uris=(other, str(spiffe("web"))))

    def test_for_servers_only(self, mesh: EnvoyMesh) -> None:
        assert self.refused(mesh, server_only=True)

    def test_without_certificate(self, mesh: EnvoyMesh) -> None:
        with pytest.raises(OSError):
            call(mesh.inbound("api"), "GET", "/public", tls=client_context(None, mesh.issued["web"]))

    def test_the_log_says_why_and_names_nobody(self, mesh: EnvoyMesh) -> None:
        assert self.refused(mesh, rogue=True)
        line = mesh.sidecars["api"].logged(lambda line: "unable_to_get_local_issuer" in str(line["tls_failure"]))
        assert (line["status"], line["direction"], line["caller"]) == (0, "inbound", None)
        assert line["peer"].startswith("127.0.0.1:")
        assert self.refused(mesh, more_uris=(str(spiffe("job")),))
        mesh.sidecars["api"].logged(lambda line: line["reason"] == "rbac_access_denied_matched_policy[none]")
        assert ask(mesh, "/exact").status == 200
        refused = [line for line in mesh.sidecars["api"].access_log if line["status"] == 0]
        assert all(line["tls_failure"] or line["reason"] for line in refused)

    def test_in_plain_text(self, mesh: EnvoyMesh) -> None:
        with pytest.raises(OSError):
            call(mesh.inbound("api"), "GET", "/public")
