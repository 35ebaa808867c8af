"""Codes of family 1xx: names."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_MESH = 'mesh shop { trust-domain: "shop.example" }\n'
_SHOP = _MESH + "service web {}\nservice api { port: 8080/http, versions: [v1, v2] }\n"

UNKNOWN_NAME = Code(
    id="MSH101",
    name="unknown-name",
    severity=Severity.ERROR,
    summary="a name that no statement of the program declares",
    why=(
        "Names are global to the program: a service, external or group is declared once, in any of its files. A name "
        "that nothing declares is most likely misspelt, and a rule about it would grant or deny nothing."
    ),
    bad=_SHOP + "allow wbe -> api : GET /**\n",
    good=_SHOP + "allow web -> api : GET /**\n",
)

WRONG_KIND = Code(
    id="MSH102",
    name="wrong-kind",
    severity=Severity.ERROR,
    summary="a name of the wrong kind for this place",
    why=(
        "Services and `ingress` call; services and externals are called. An external does not call into the mesh, "
        "`ingress` serves nothing, and only a service has routes and versions."
    ),
    bad=_SHOP + "allow web -> api : GET /**\nallow web -> ingress : GET /**\n",
    good=_SHOP + "allow web -> api : GET /**\nallow ingress -> api : POST /**\n",
)

UNKNOWN_FIELD = Code(
    id="MSH103",
    name="unknown-field",
    severity=Severity.ERROR,
    summary="a field that this block does not have",
    why="A field that is not known is refused and never skipped: a setting that has no effect is worse than none.",
    bad=_MESH + "service web {}\nservice api { port: 8080/http, replica: 2 }\nallow web -> api : GET /**\n",
    good=_MESH + "service web {}\nservice api { port: 8080/http, replicas: 2 }\nallow web -> api : GET /**\n",
)

UNKNOWN_PORT = Code(
    id="MSH104",
    name="unknown-port",
    severity=Severity.ERROR,
    summary="a port that the service does not have",
    why=(
        "Behind the dot stands the name of one of the service's `ports`. A service with a single `port` is called by "
        "its name alone."
    ),
    bad=_MESH
    + "service web {}\nservice api { ports { public: 8080/http, admin: 8081/http } }\n"
    + "allow web -> api : GET /**\nallow web -> api.amdin : POST /**\n",
    good=_MESH
    + "service web {}\nservice api { ports { public: 8080/http, admin: 8081/http } }\n"
    + "allow web -> api : GET /**\nallow web -> api.admin : POST /**\n",
)

UNKNOWN_VERSION = Code(
    id="MSH105",
    name="unknown-version",
    severity=Severity.ERROR,
    summary="a version that the service does not declare",
    why="A route sends to the versions in the service's `versions`: a share of the requests sent elsewhere is lost.",
    bad=_SHOP + "allow web -> api : GET /**\nroute api {\n  /** => v1 90%, v3 10%\n}\n",
    good=_SHOP + "allow web -> api : GET /**\nroute api {\n  /** => v1 90%, v2 10%\n}\n",
)

UNKNOWN_ROUTE_NAME = Code(
    id="MSH106",
    name="unknown-route-name",
    severity=Severity.ERROR,
    summary="`over` names a rule that the route does not have",
    why="`over NAME` speaks of a rule of the same service that was given its name by `as NAME`.",
    bad=_SHOP + "allow web -> api : * /**\nroute api {\n  /v1/** => v1 as stable\n  POST /** => v2 over stabel\n}\n",
    good=_SHOP + "allow web -> api : * /**\nroute api {\n  /v1/** => v1 as stable\n  POST /** => v2 over stable\n}\n",
)

GROUP_CYCLE = Code(
    id="MSH107",
    name="group-cycle",
    severity=Severity.ERROR,
    summary="a group that contains itself",
    why="A group is a finite set of workloads, worked out from other groups: a circle of definitions defines nothing.",
    bad=_SHOP + "group front = web | back\ngroup back = api | front\nallow web -> api : GET /**\n",
    good=_SHOP
    + "group front = web\ngroup back = api | front\nallow front -> api : GET /**\nassert never ingress -> back\n",
)

UNKNOWN_LABEL = Code(
    id="MSH108",
    name="unknown-label",
    severity=Severity.ERROR,
    summary="a property that no service has",
    why=(
        "`where service.NAME` looks at the services' labels, and at `namespace`, `name` and `service-account`. A label "
        "that no service bears is most likely misspelt, and an assert about the empty group would hold for nothing."
    ),
    bad=_MESH
    + 'service web {}\nservice api { port: 8080/http, labels: {pci: "true"} }\n'
    + 'group card = where service.pic == "true"\nallow web -> card : GET /**\n',
    good=_MESH
    + 'service web {}\nservice api { port: 8080/http, labels: {pci: "true"} }\n'
    + 'group card = where service.pci == "true"\nallow web -> card : GET /**\n',
)

EMPTY_GROUP = Code(
    id="MSH109",
    name="empty-group",
    severity=Severity.WARNING,
    summary="a group without members",
    why="Rules and asserts about an empty group say nothing, although they look as if they did.",
    bad=_SHOP + "group others = web - web\nallow web -> api : GET /**\n",
    good=_SHOP + "group others = web | api\nallow web -> api : GET /**\nassert never ingress -> others\n",
)

DUPLICATE_NAME = Code(
    id="MSH110",
    name="duplicate-name",
    severity=Severity.ERROR,
    summary="a name that is declared twice",
    why=(
        "Services, externals and groups share one namespace of names, since a rule may speak of any of them. Which of "
        "two declarations is meant would depend on the order of files, and order never matters."
    ),
    bad=_SHOP + "service api { port: 9090/http }\nallow web -> api : GET /**\n",
    good=_SHOP + "service admin { port: 9090/http }\nallow web -> api : GET /**\nallow web -> admin : GET /**\n",
)

RESERVED_NAME = Code(
    id="MSH111",
    name="reserved-name",
    severity=Severity.ERROR,
    summary="a name that the language has taken",
    why="`any`, `ingress`, `mesh` and `plaintext` have a meaning of their own wherever a name may stand.",
    bad=_SHOP + "group mesh = web | api\nallow web -> api : GET /**\n",
    good=_SHOP + "group front = web | api\nallow web -> api : GET /**\nassert never ingress -> front\n",
)

DUPLICATE_FIELD = Code(
    id="MSH112",
    name="duplicate-field",
    severity=Severity.ERROR,
    summary="a field, or an entry of a list, that is stated twice",
    why="Which of two values is meant would depend on their order, and order never matters.",
    bad=_MESH + "service web {}\nservice api { port: 8080/http, port: 9090/http }\nallow web -> api : GET /**\n",
    good=_MESH
    + "service web {}\nservice api { ports { public: 8080/http, admin: 9090/http } }\nallow web -> api : GET /**\n",
)

MISSING_FIELD = Code(
    id="MSH113",
    name="missing-field",
    severity=Severity.ERROR,
    summary="a field that this block must have",
    why="Without it the statement has no meaning, and no default would be a safe guess.",
    bad="mesh shop {}\n",
    good=_MESH,
)

MISSING_MESH = Code(
    id="MSH114",
    name="missing-mesh",
    severity=Severity.ERROR,
    summary="the program has no `mesh` statement",
    why="The `mesh` statement gives the trust domain, from which every identity of the mesh is made.",
    bad="service web {}\nservice api { port: 8080/http }\nallow web -> api : GET /**\n",
    good=_MESH + "service web {}\nservice api { port: 8080/http }\nallow web -> api : GET /**\n",
)

INVALID_NAME = Code(
    id="MSH115",
    name="invalid-name",
    severity=Severity.ERROR,
    summary="a name that cannot be a host name",
    why=(
        "Services, namespaces, service accounts and versions become DNS names and Kubernetes objects: lower-case "
        "letters, digits and hyphens, not at the ends, within 63 characters together with the suffixes that are added "
        "to them (RFC 1123 §2.1)."
    ),
    bad=_MESH + "service web {}\nservice Api_1 { port: 8080/http }\nallow web -> Api_1 : GET /**\n",
    good=_MESH + "service web {}\nservice api-1 { port: 8080/http }\nallow web -> api-1 : GET /**\n",
)

_PROTO = """syntax = "proto3";
package pay.v1;
service Payments {
  rpc Charge(ChargeRequest) returns (ChargeResponse);
  rpc Refund(RefundRequest) returns (RefundResponse);
}
"""
_OPENAPI = """openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /orders:
    get: {}
    post: {}
  /orders/{id}:
    get: {}
"""
_MANIFEST = """kind: Service
apiVersion: v1
metadata: {name: api}
spec:
  selector: {app: api}
  ports: [{port: 80, targetPort: 8080}]
---
kind: Deployment
apiVersion: apps/v1
metadata: {name: api}
spec:
  template:
    metadata: {labels: {app: api}}
    spec: {serviceAccountName: api, containers: [{name: api, image: api}]}
"""
_STATED = _MANIFEST.replace("{port: 80", "{name: http, port: 80")
_PAYMENTS = _MESH + 'service web {}\nservice payments { port: 9090/grpc }\nimport proto "pay.proto" for payments\n'
_ORDERS = _MESH + 'service web {}\nservice api { port: 8080/http }\nimport openapi "api.yaml" for api\n'
_FOUND = _MESH + "service web {}\nallow web -> api : GET /**\n"

UNKNOWN_RPC = Code(
    id="MSH120",
    name="unknown-rpc",
    severity=Severity.ERROR,
    summary="an rpc that the service's schema does not have",
    why=(
        "An imported `.proto` says which rpcs a service has. A sentence about any other grants, routes or denies "
        "nothing, and is most likely misspelt. The services of the packages `grpc.*` (health, reflection) come with "
        "the library, whatever the file says."
    ),
    bad=_PAYMENTS + "allow web -> payments : rpc pay.v1.Payments/Chrage\n",
    good=_PAYMENTS + "allow web -> payments : rpc pay.v1.Payments/Charge\n",
    files=(("pay.proto", _PROTO),),
)

UNKNOWN_PATH = Code(
    id="MSH121",
    name="unknown-path",
    severity=Severity.ERROR,
    summary="a path that the service's schema does not have",
    why=(
        "An imported OpenAPI document, or the service's `paths`, say which paths there are. A sentence of which no "
        "path is among them grants, routes or denies nothing. Paths that the document leaves out, for example those of "
        "health checks, are added by `paths: [/healthz]` in the service's block."
    ),
    bad=_ORDERS + "allow web -> api : GET /oders/{id:int}\n",
    good=_ORDERS + "allow web -> api : GET /orders/{id:int}\n",
    files=(("api.yaml", _OPENAPI),),
)

UNKNOWN_METHOD = Code(
    id="MSH122",
    name="unknown-method",
    severity=Severity.ERROR,
    summary="a method that none of these paths has",
    why=(
        "The schema has the path and not the method, so the sentence grants or routes nothing. HEAD goes with GET, and "
        "OPTIONS may be asked of every path (RFC 9110 §9.3.2, §9.3.7)."
    ),
    bad=_ORDERS + "allow web -> api : POST /orders/{id:int}\n",
    good=_ORDERS + "allow web -> api : POST /orders\n",
    files=(("api.yaml", _OPENAPI),),
)

MISSING_IMPORT = Code(
    id="MSH123",
    name="missing-import",
    severity=Severity.ERROR,
    summary="what is imported cannot be read",
    why=(
        "The path is relative to the file that imports it. It must be there, be a regular file (or, for manifests, a "
        "directory), be UTF-8, and be no larger than the compiler reads."
    ),
    bad=_MESH + 'import "lbi.mesh"\nallow web -> api : GET /**\n',
    good=_MESH + 'import "lib.mesh"\nallow web -> api : GET /**\n',
    files=(("lib.mesh", "service web {}\nservice api { port: 8080/http }\n"),),
)

IMPORT_OUTSIDE = Code(
    id="MSH124",
    name="import-outside",
    severity=Severity.ERROR,
    summary="an import that leads out of the program's directory",
    why=(
        "A program reads what lies in its own directory: the one that is named on the command line, or that of the "
        "files named. Otherwise it would mean different things on different machines, and checking a program of "
        "somebody else's could read any file of yours. Absolute paths, `..` and links that lead out are refused."
    ),
    bad=_MESH + 'import "../lib.mesh"\nallow web -> api : GET /**\n',
    good=_MESH + 'import "lib.mesh"\nallow web -> api : GET /**\n',
    files=(("lib.mesh", "service web {}\nservice api { port: 8080/http }\n"),),
)

IMPORT_CYCLE = Code(
    id="MSH125",
    name="import-cycle",
    severity=Severity.ERROR,
    summary="files that import each other in a circle",
    why=(
        "An import says that one file stands on another. In a circle none stands on its own, and none can be used "
        "without all the others: then they are one file, or parts of one program that need no imports at all."
    ),
    bad=_SHOP + 'import "lib.mesh"\n',
    good=_SHOP + "allow web -> api : GET /**\n",
    files=(("lib.mesh", 'import "program.mesh"\nallow web -> api : GET /**\n'),),
)

MALFORMED_IMPORT = Code(
    id="MSH126",
    name="malformed-import",
    severity=Severity.ERROR,
    summary="an imported file that is not what the import says",
    why=(
        "A `.proto`, an OpenAPI document or a manifest is read whole or not at all: half of a schema would make "
        "mistakes of what is right. Templates (Helm) are rendered first, and their output imported."
    ),
    bad=_ORDERS.replace("openapi", "proto") + "allow web -> api : GET /orders\n",
    good=_ORDERS + "allow web -> api : GET /orders\n",
    files=(("api.yaml", _OPENAPI),),
)

EMPTY_IMPORT = Code(
    id="MSH127",
    name="empty-import",
    severity=Severity.ERROR,
    summary="an import in which there is nothing to import",
    why=(
        "A `.proto` without services, a document without paths or a directory without manifests is most likely the "
        "wrong one; nothing of what it was to declare is declared."
    ),
    bad=_FOUND + 'import kubernetes "config.yaml"\n',
    good=_FOUND + 'import kubernetes "api.yaml"\n',
    files=(("config.yaml", "kind: ConfigMap\nmetadata: {name: web}\n"), ("api.yaml", _STATED)),
)

IMPORT_CONTRADICTION = Code(
    id="MSH128",
    name="import-contradiction",
    severity=Severity.ERROR,
    summary="a manifest says otherwise than the program or another manifest",
    why=(
        "A `service` block refines what manifests say, and wins where they say nothing. Where both speak, they must "
        "agree: a port that the cluster does not have would be called in vain."
    ),
    bad=_FOUND + 'import kubernetes "api.yaml"\nservice api { port: 8080/http }\n',
    good=_FOUND + 'import kubernetes "api.yaml"\nservice api { replicas: 2 }\n',
    files=(("api.yaml", _STATED),),
)

NOT_CARRIED_OVER = Code(
    id="MSH129",
    name="not-carried-over",
    severity=Severity.INFO,
    summary="something of an imported file that has no counterpart here, or had to be guessed",
    why=(
        "What is imported is facts about services, their ports and their operations. Whatever else is met is told, so "
        "that nothing is lost unseen: state it in the program if it matters."
    ),
    bad=_FOUND.replace(": GET /**", ": tcp") + 'import kubernetes "api.yaml"\n',
    good=_FOUND + 'import kubernetes "api.yaml"\nservice api { port: 80/http }\n',
    files=(("api.yaml", _MANIFEST),),
)
