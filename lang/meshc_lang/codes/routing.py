"""Codes of family 4xx: routing."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_SHOP = (
    'mesh shop { trust-domain: "shop.example" }\n'
    "service web {}\n"
    "service api { port: 8080/http, versions: [v1, v2] }\n"
    "allow web -> api : * /**\n"
)

AMBIGUOUS_ROUTE = Code(
    id="MSH410",
    name="ambiguous-route",
    severity=Severity.ERROR,
    summary="two rules of a route match the same request, and neither is more specific",
    why=(
        "The rules of a route have no order: a rule that strictly contains another yields to it. Where two overlap "
        "and neither contains the other, only the author can say which is meant: by `over NAME`."
    ),
    bad=_SHOP + 'route api {\n  /v1/** if header "x-beta" == "1" => v2 as beta\n  POST /v1/orders => v1\n}\n',
    good=_SHOP
    + 'route api {\n  /v1/** if header "x-beta" == "1" => v2 as beta\n  POST /v1/orders => v1 over beta\n}\n',
)

OVER_CYCLE = Code(
    id="MSH411",
    name="over-cycle",
    severity=Severity.ERROR,
    summary="rules of a route that each go over the other",
    why="`over` and the precedence of the more specific rule together must not lead in a circle: no rule would win.",
    bad=_SHOP + "route api {\n  POST /** => v1 as write over stable\n  /v1/** => v2 as stable over write\n}\n",
    good=_SHOP + "route api {\n  POST /** => v1 as write over stable\n  /v1/** => v2 as stable\n}\n",
)

UNREACHABLE_ROUTE = Code(
    id="MSH412",
    name="unreachable-route",
    severity=Severity.WARNING,
    summary="a rule of a route that never wins",
    why="For every request that it matches another rule takes precedence, so its targets get no request through it.",
    bad=_SHOP + "route api {\n  /v1/** => v1 as stable over orders\n  POST /v1/orders => v2 as orders\n}\n",
    good=_SHOP + "route api {\n  /v1/** => v1 as stable\n  POST /v1/orders => v2 as orders\n}\n",
)

DUPLICATE_ROUTE_NAME = Code(
    id="MSH413",
    name="duplicate-route-name",
    severity=Severity.ERROR,
    summary="two rules of a service's routes with the same name",
    why="`over NAME` must say which rule is meant.",
    bad=_SHOP + "route api {\n  /v1/** => v1 as stable\n  /v2/** => v2 as stable\n}\n",
    good=_SHOP + "route api {\n  /v1/** => v1 as stable\n  /v2/** => v2 as next\n}\n",
)

UNDECIDED_ROUTE = Code(
    id="MSH414",
    name="undecided-route",
    severity=Severity.ERROR,
    summary="rules of a route of which it cannot be decided which is the more specific",
    why=(
        "Rules are compared exactly, but each comparison has a bound, and some regular expressions need automata that "
        "grow beyond it. Where that leaves it open whether two rules overlap, `over NAME` must say which one wins."
    ),
    bad=_SHOP + 'route api {\n  ~"/(a|b)*a(a|b){14}" => v1 as one\n  ~"/(a|b)*b(a|b){14}" => v2\n}\n',
    good=_SHOP + 'route api {\n  ~"/(a|b)*a(a|b){14}" => v1 as one\n  ~"/(a|b)*b(a|b){14}" => v2 over one\n}\n',
)

CONFLICTING_SETTINGS = Code(
    id="MSH420",
    name="conflicting-settings",
    severity=Severity.ERROR,
    summary="two different values of a setting at the same scope",
    why=(
        "The most specific scope wins, field by field: mesh, service, edge, route. At one scope two values are a "
        "contradiction, because no order of statements decides between them."
    ),
    bad=_SHOP + "edge web -> api { timeout: 1s }\nedge web -> api { timeout: 2s }\n",
    good=_SHOP + "edge web -> api { timeout: 1s }\nedge web -> api { retry: off }\n",
)

WRONG_WEIGHTS = Code(
    id="MSH430",
    name="wrong-weights",
    severity=Severity.ERROR,
    summary="the shares of a rule's targets do not add up to 100 %",
    why="Shares are exact: another sum than 100 % means that a number is wrong, and only the author knows which.",
    bad=_SHOP + "route api {\n  /** => v1 90%, v2 5%\n}\n",
    good=_SHOP + "route api {\n  /** => v1 95%, v2 5%\n}\n",
)

SPLIT_WITH_ONE_VERSION = Code(
    id="MSH431",
    name="split-with-one-version",
    severity=Severity.WARNING,
    summary="a split of which every share goes to the same version",
    why="The shares add up to one target: it looks like a canary and is none.",
    bad=_SHOP + "route api {\n  /** => v1 95%, v1 5%\n}\n",
    good=_SHOP + "route api {\n  /** => v1 95%, v2 5%\n}\n",
)

_DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: api-v1}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api, version: v1}}
    spec: {serviceAccountName: api, containers: [{name: api}]}
"""
_RUNS = (
    'mesh shop { trust-domain: "shop.example" }\nimport kubernetes "k8s.yaml"\nservice web {}\n'
    "service api { versions: [v1] }\nallow web -> api : GET /**\n"
)

VERSION_NOBODY_RUNS = Code(
    id="MSH433",
    name="version-nobody-runs",
    severity=Severity.WARNING,
    summary="a version of a service that no pod of its manifests is",
    why=(
        "A version is the value of the label `version` on pods. Requests that are routed to one that nobody runs are "
        "answered with 503. Roll it out first, or take it out of the program."
    ),
    bad=_RUNS.replace("[v1]", "[v1, v2]"),
    good=_RUNS,
    files=(
        (
            "k8s.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec:\n  selector: {app: api}\n"
            "  ports: [{name: http, port: 80}]\n---\n" + _DEPLOYMENT,
        ),
    ),
)

TOO_MANY_ROUTES = Code(
    id="MSH432",
    name="too-many-routes",
    severity=Severity.ERROR,
    summary="more rules of one service's route than the compiler compares",
    why="Every pair of rules is compared for overlap. The bound keeps a generated program from stopping the compiler.",
)

INVALID_ANSWER = Code(
    id="MSH434",
    name="invalid-answer",
    severity=Severity.ERROR,
    summary="a redirect or a status that cannot be answered, or settings of a rule that makes no call",
    why=(
        "`redirect` sends the caller to a whole URL or a path on the same host, by 307, so that the method is kept; "
        "`respond` answers with a final status, 200 to 599. Either is given by the caller's own sidecar to requests "
        "that are allowed, and nothing is called: timeouts and retries have nothing to act on, and an rpc has no such "
        "answer."
    ),
    bad=_SHOP + "route api {\n  /old/** => respond 999\n}\n",
    good=_SHOP + "route api {\n  /old/** => respond 410\n}\n",
)

MIRROR_TO_ITSELF = Code(
    id="MSH440",
    name="mirror-to-itself",
    severity=Severity.ERROR,
    summary="a mirror that copies requests to the service that gets them already",
    why="Every instance would handle its requests twice. Copies go to one version of the service, or to another one.",
    bad=_SHOP + "mirror api GET /** => api 5%\n",
    good=_SHOP + "mirror api GET /** => api.v2 5%\n",
)

MIRROR_PORT = Code(
    id="MSH441",
    name="mirror-port",
    severity=Severity.ERROR,
    summary="a mirror to a service of which several ports could take the copies",
    why="Copies go to one port. If none has the name of the port that is mirrored, only the author can say which.",
    bad=_SHOP
    + "service shadow { ports { one: 81/http, two: 82/http } }\nallow web -> shadow : * /**\n"
    + "mirror api GET /** => shadow\n",
    good=_SHOP
    + "service shadow { ports { one: 81/http, two: 82/http } }\nallow web -> shadow : * /**\n"
    + "mirror api GET /** => shadow.one\n",
)

MIRROR_DENIED = Code(
    id="MSH442",
    name="mirror-denied",
    severity=Severity.WARNING,
    summary="a mirror whose copies are all refused",
    why=(
        "A copy is sent by the caller's sidecar as that caller, so the target must allow it. Where no `allow` lets a "
        "caller of the service call the target, its copies are refused, and because nobody sees their answers, nobody "
        "would notice."
    ),
    bad=_SHOP + "service shadow { port: 81/http }\nallow api -> shadow : GET /**\nmirror api GET /** => shadow\n",
    good=_SHOP + "service shadow { port: 81/http }\nallow web -> shadow : GET /**\nmirror api GET /** => shadow\n",
)
