"""Whole programs that are correct by construction, over the entire language: no compiler may find anything in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

NAMES = ("web", "api", "orders", "stock", "test", "limit", "db-1")
"""Names of services, words of the language among them."""
HTTP = ("http", "http2")


@dataclass(frozen=True)
class Statement:
    """One statement, with what it is for, so that it can be found and spoilt."""

    kind: str
    text: str
    caller: str = ""
    callee: str = ""


@dataclass(frozen=True)
class CorrectProgram:
    """A program as its statements, in no order that matters."""

    statements: tuple[Statement, ...]

    @property
    def text(self) -> str:
        return "\n".join(one.text for one in self.statements) + "\n"

    def of_kind(self, *kinds: str) -> tuple[Statement, ...]:
        return tuple(one for one in self.statements if one.kind in kinds)

    def with_more(self, text: str) -> CorrectProgram:
        return CorrectProgram((*self.statements, Statement("more", text)))

    def changed(self, statement: Statement, old: str, new: str) -> CorrectProgram:
        assert old in statement.text
        spoilt = replace(statement, text=statement.text.replace(old, new, 1))
        return CorrectProgram(tuple(spoilt if one is statement else one for one in self.statements))

    def without(self, statement: Statement) -> CorrectProgram:
        return CorrectProgram(tuple(one for one in self.statements if one is not statement))


@dataclass(frozen=True)
class Shape:
    """What a drawn service is; `order` is its place in the chain: it calls later ones only."""

    name: str
    order: int
    protocol: str
    versions: bool
    health: bool
    permissive: bool

    @property
    def patience(self) -> str:
        """Inner calls have less time than outer ones."""
        return f"{20 - 2 * self.order}s"


class Writer:
    """Writes one program down, asking `draw` for all that is free."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.out: list[Statement] = []
        self.number = 0
        self.tokens = draw(st.booleans())
        self.tests: list[str] = []
        self.shapes: list[Shape] = []

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def one_of(self, *words: str) -> str:
        return self.draw(st.sampled_from(words))

    def fresh(self) -> int:
        self.number += 1
        return self.number

    def put(self, kind: str, text: str, caller: str = "", callee: str = "") -> None:
        self.out.append(Statement(kind, text, caller, callee))

    # ---- what there is

    def declare(self) -> None:
        count = self.draw(st.integers(2, 5))
        names = self.draw(st.permutations(NAMES))[:count]
        mesh = 'mesh m { trust-domain: "m.example"' + self.one_of("", ", mtls: strict", ", ingress { namespace: edge }")
        self.put("mesh", mesh + " }")
        for order, name in enumerate(names):
            protocol = "http" if order == 0 else self.one_of("http", "http", "http2", "grpc", "tcp")
            http = protocol in HTTP
            shape = Shape(
                name,
                order,
                protocol,
                versions=http and self.maybe(),
                health=http and self.maybe(),
                permissive=http and self.draw(st.integers(0, 3)) == 0,
            )
            self.shapes.append(shape)
            port = 8000 + order
            fields = [self.one_of(f"port: {port}/{protocol}", f"ports {{ main: {port}/{protocol} }}")]
            fields += ["versions: [v1, v2]"] if shape.versions else []
            fields += ["health: /healthz"] if shape.health else []
            fields += ["mtls: permissive"] if shape.permissive else []
            fields += ["capacity: 1000/s"] if http else []
            fields += [f"replicas: {self.draw(st.integers(2, 9))}"] if self.maybe() else []
            fields += [f"namespace: {self.one_of('edge', 'default', 'data')}"] if self.maybe() else []
            fields += [f'labels: {{layer: "n{order}", data: "{self.one_of("none", "personal")}"}}']
            self.put("service", f"service {name} {{ {', '.join(self.draw(st.permutations(fields)))} }}", callee=name)
            if shape.health:
                self.put("health", f"allow any -> {name} : GET /healthz", "any", name)
                self.tests.append(f"ingress -> {name} GET /healthz is allowed")
            if shape.permissive:
                number = self.fresh()
                self.put("plaintext", f"allow plaintext -> {name} : GET /p{number}/**", "plaintext", name)
                self.tests.append(f"plaintext -> {name} GET /p{number}/x is allowed")
        if self.tokens:
            self.put(
                "jwt",
                'jwt staff { issuer: "https://id.example", audiences: ["m"], jwks: "https://id.example/keys.json" }',
            )

    # ---- who may call whom

    def condition(self, depth: int = 0) -> tuple[str, str]:
        """Return a condition that some request meets, with what such a request bears, in the notation of tests."""
        number = self.fresh()
        kinds = ["header", "list", "regex", "absent", "query", "cookie"] + (["claim", "denied claim"] * self.tokens)
        if depth < 2:
            kinds += ["and", "or"]
        match self.one_of(*kinds):
            case "header":
                return f'header "x-h{number}" == "v"', f'x-h{number}: "v"'
            case "list":
                return f'header "x-h{number}" in ["a", "b"]', f'x-h{number}: "b"'
            case "regex":
                return f'header "x-h{number}" ~ "a+"', f'x-h{number}: "aa"'
            case "absent":
                return f'not header "x-h{number}" present', ""
            case "query":
                return f'(query "q{number}" != "no" or header "x-h{number}" present)', f'x-h{number}: "v"'
            case "cookie":
                return f'(cookie "c{number}" == "a" or header "x-h{number}" present)', f'x-h{number}: "v"'
            case "claim":
                return f'(claim "r{number}" == "a" or header "x-h{number}" == "v")', f'x-h{number}: "v"'
            case "denied claim":
                claim = f'claim "r{number}" present and claim "r{number}" != "guest"'
                return f'(({claim}) or header "x-h{number}" == "v")', f'x-h{number}: "v"'
            case word:
                left, bears = self.condition(depth + 1)
                right, more = self.condition(depth + 1)
                return f"({left} {word} {right})", ", ".join(part for part in (bears, more) if part)

    def grant(self, caller: str, members: list[str], callee: Shape) -> str:
        """Return a grant that overlaps no other; an example of it becomes a test."""
        number = self.fresh()
        who = self.draw(st.sampled_from(members))
        if callee.protocol == "tcp":
            self.tests.append(f"{who} -> {callee.name} tcp is allowed")
            return "tcp"
        if callee.protocol == "grpc":
            method = self.one_of("Get", "Get|List", "*")
            self.tests.append(f"{who} -> {callee.name} rpc p{number}.v1.S/Get is allowed")
            return f"rpc p{number}.v1.S/{method}"
        path, example = self.draw(
            st.sampled_from(
                (
                    (f"/p{number}/**", f"/p{number}/a/b"),
                    (f"/p{number}", f"/p{number}/"),
                    (f"/p{number}/{{id:int}}", f"/p{number}/7"),
                    (f"/p{number}/*/x", f"/p{number}/a/x"),
                    (f'~"/p{number}/[a-z]+"', f"/p{number}/ab"),
                )
            )
        )
        method = self.one_of("", "* ", "GET ", "GET|HEAD ", "GET|POST ")
        guard, bears = self.condition() if self.maybe() else ("", "")
        if guard and len(members) > 1 and self.maybe():
            guard = f"from {who} and {guard}"
        headers = f" {{{bears}}}" if bears else ""
        self.tests.append(f"{who} -> {callee.name} GET {example}{headers} is allowed")
        return f"{method}{path}" + (f" if {guard}" if guard else "")

    def allow(self) -> None:
        for callee in self.shapes:
            earlier = [shape.name for shape in self.shapes[: callee.order] if shape.protocol != "tcp"]
            if not earlier:
                self.put(
                    "allow", f"allow ingress -> {callee.name} : GET|POST /in{callee.order}/**", "ingress", callee.name
                )
                continue
            chosen = self.draw(st.lists(st.sampled_from(earlier), min_size=1, unique=True))
            if len(chosen) == 1 or callee.protocol == "tcp" or self.maybe():
                for caller in chosen:
                    grants = [self.grant(caller, [caller], callee)]
                    if callee.protocol != "tcp" and self.maybe():
                        grants.append(self.grant(caller, [caller], callee))
                    because = self.one_of("", ' because "asked for"')
                    written = self.one_of(f": {', '.join(grants)}", "{\n  " + "\n  ".join(grants) + "\n}")
                    gap = "" if written.startswith(":") else " "
                    self.put(
                        "allow",
                        f"allow {caller} -> {callee.name} {written}".replace("  {", " {") + because + gap.strip(),
                        caller,
                        callee.name,
                    )
            else:
                name = f"callers-{callee.order}"
                labels = " or ".join(
                    f'service.layer == "n{shape.order}"' for shape in self.shapes if shape.name in chosen
                )
                stranger = callee.name
                members = self.one_of(
                    f"[{', '.join(chosen)}]",
                    " | ".join(chosen),
                    f"({' | '.join([*chosen, stranger])}) - {stranger}",
                    f"where {labels}",
                )
                self.put("group", f"group {name} = {members}")
                self.put(
                    "allow", f"allow {name} -> {callee.name} : {self.grant(name, chosen, callee)}", name, callee.name
                )
            if callee.protocol in HTTP and self.maybe():
                number = self.fresh()
                caller = chosen[0]
                self.put("allow", f"allow {caller} -> {callee.name} : GET /p{number}/**", caller, callee.name)
                unless = self.one_of("", f' unless header "x-break-{number}" == "glass"')
                self.put("deny", f"deny any -> {callee.name} : /p{number}/admin/**{unless}", "any", callee.name)
                self.tests.append(f"{caller} -> {callee.name} GET /p{number}/admin/x is denied")
                self.tests.append(f"{caller} -> {callee.name} GET /p{number}/x is allowed")

    # ---- how calls behave

    def callers(self, callee: Shape) -> list[str]:
        return list(dict.fromkeys(one.caller for one in self.out if one.kind == "allow" and one.callee == callee.name))

    def settings(self) -> None:
        if self.maybe():
            breaker = "breaker { max-requests: 512, consecutive-5xx: 5, eject: 30s, max-ejected: 50% }"
            self.put("settings", f"defaults mesh {{ {self.one_of('timeout: 60s', breaker)} }}")
        for callee in self.shapes:
            if callee.protocol == "tcp":
                self.put("settings", f"defaults {callee.name} {{ connect-timeout: 250ms }}", callee=callee.name)
                continue
            retry = ""
            if self.maybe():
                safe = "on: [connect-failure, refused-stream]"
                risky = f"on: [{'unavailable' if callee.protocol == 'grpc' else 's503'}], idempotent: true"
                last = callee is self.shapes[-1]
                retry = ", retry { limit: 1, budget: 20%, " + self.one_of(safe, risky)
                retry += ", backoff: 25ms..250ms" if self.maybe() else ""
                retry += ", per-try: 1s" if last and self.maybe() else ""
                retry += " }"
            balance = self.one_of("", ", balance: least-request", ', balance { policy: ring-hash, header: "x-user" }')
            written = f"{{ timeout: {callee.patience}{retry}{balance} }}"
            if self.maybe():
                self.put("defaults", f"defaults {callee.name} {written}", callee=callee.name)
                continue
            for caller in self.callers(callee):
                self.put("edge", f"edge {caller} -> {callee.name} {written}", caller, callee.name)
                if caller == "ingress":
                    self.tests.append(f"ingress -> {callee.name} GET /in0/x is allowed, timeout {callee.patience}")

    def traffic(self) -> None:
        for callee in self.shapes:
            caller = self.callers(callee)[0]
            if callee.protocol not in HTTP:
                continue
            if callee.versions:
                first = self.draw(st.integers(1, 99))
                rules = [f"/** => v1 {first}%, v2 {100 - first}% as main-{callee.order}"]
                if self.maybe():
                    rules.append('/** if header "x-beta" == "1" => v2 as beta')
                    rules.append(f"POST /** => v1 as writes over beta {{ timeout: {callee.patience} }}")
                self.put(
                    "route",
                    f"route {callee.name} {{\n  " + "\n  ".join(self.draw(st.permutations(rules))) + "\n}",
                    callee=callee.name,
                )
                if self.maybe():
                    self.put("mirror", f"mirror {callee.name} GET|HEAD /** => {callee.name}.v2 5%", callee=callee.name)
            if self.maybe():
                key = self.one_of("", ' per header "x-user"')
                self.put("limit", f"limit {caller} -> {callee.name} 500/s burst 100{key}", caller, callee.name)
            if self.maybe():
                fault = self.one_of("delay: 100ms", "abort: 503, percent: 5%")
                self.put(
                    "fault", f"fault f{callee.order} on {caller} -> {callee.name} {{ {fault} }}", caller, callee.name
                )
            if self.maybe():
                self.put(
                    "slo",
                    f"slo {callee.name} {{ availability: 99.9%, window: 30d, latency-p50: 90ms, latency-p99: 300ms }}",
                )

    def outside(self) -> None:
        if self.maybe():
            caller = self.shapes[0].name
            self.put("external", 'external bank { hosts: ["api.bank.example"], port: 443/tls, tls { min: "1.3" } }')
            self.put("allow", f"allow {caller} -> bank : POST /v1/pay", caller, "bank")
            self.put("edge", f"edge {caller} -> bank {{ timeout: 1s }}", caller, "bank")
            self.put("assert", f"assert only {caller} -> bank", caller, "bank")

    def reuse(self) -> None:
        caller = self.shapes[0].name
        if self.maybe():
            self.put("let", "let slow = 1s")
            self.put(
                "template",
                "template page(name, base) {\n  service name { port: 8080/http }\n"
                f"  allow {caller} -> name : GET base\n  edge {caller} -> name {{ timeout: slow }}\n}}",
            )
            for name in ("about", "careers")[: self.draw(st.integers(1, 2))]:
                self.put("use", f"use page({name}, /{name}/**)", caller, name)
                self.tests.append(f"{caller} -> {name} GET /{name}/x is allowed, timeout slow")
            self.put("overlay", "overlay calm {\n  set slow: 900ms\n}")

    def promises(self) -> None:
        last = self.shapes[-1]
        if not last.health:
            self.put("assert", f"assert never ingress -> {last.name}", "ingress", last.name)
        if not any(shape.permissive for shape in self.shapes):
            self.put("assert", "assert mtls")
        for one in self.out:
            if one.kind == "use":
                self.put("assert", f"assert every edge to {one.callee} has edge.timeout <= slow")
        self.put("assert", f"assert always ingress -> {self.shapes[0].name} : GET /in0/x")
        if not any(shape.health for shape in self.shapes):
            self.put("assert", f"assert attempts(ingress -> {self.shapes[0].name}) <= 2")
        self.put("test", 'test "examples" {\n  ' + "\n  ".join(self.tests) + "\n}")
        if self.maybe():
            entry = self.shapes[0].name
            edge = next((one for one in self.out if one.kind == "edge" and one.callee == entry), None)
            added = f"fault slow-entry on ingress -> {entry} {{ delay: 500ms }}"
            change = f"set {entry}.capacity: 900/s" if edge is not None else f"set {entry}.defaults.timeout: 30s"
            self.put("overlay", f"overlay staging {{\n  {change}\n  {added}\n}}", callee=entry)


@st.composite
def correct_programs(draw: DrawFn) -> CorrectProgram:
    """A correct program of two to five services in a chain, and all that may be said about them."""
    writer = Writer(draw)
    writer.declare()
    writer.allow()
    writer.settings()
    writer.traffic()
    writer.outside()
    writer.reuse()
    writer.promises()
    return CorrectProgram(tuple(writer.out))
