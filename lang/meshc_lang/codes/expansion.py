"""Codes of family 13x: values by name, templates and their uses."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_SHOP = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 8080/http }\n'
_GET = _SHOP + "allow web -> api : GET /**\n"
_TEMPLATE = (
    "template webapp(name, base) {\n"
    "  service name { port: 8080/http }\n"
    "  allow ingress -> name : GET base\n"
    "  allow web -> name : POST base\n"
    "}\n"
)

UNKNOWN_VALUE = Code(
    id="MSH130",
    name="unknown-value",
    severity=Severity.ERROR,
    summary="a name where a value must stand, and no `let` has that name",
    why=(
        "A rate, a burst, a share or a path may be given by name: that of a `let`, or of a parameter of the template "
        "around it. Nothing else has a value."
    ),
    bad=_SHOP + "let orders = /v1/orders/**\nallow web -> api : GET orders, POST order\n",
    good=_SHOP + "let orders = /v1/orders/**\nallow web -> api : GET orders, POST orders\n",
)

LET_CYCLE = Code(
    id="MSH131",
    name="let-cycle",
    severity=Severity.ERROR,
    summary="a `let` that is defined by itself",
    why="A `let` may be made of others, in any order of files; a circle of them has no value.",
    bad=_GET + "let slow = patient\nlet patient = slow\nedge web -> api { timeout: slow }\n",
    good=_GET + "let slow = patient\nlet patient = 4s\nedge web -> api { timeout: slow }\n",
)

UNUSED = Code(
    id="MSH132",
    name="unused-definition",
    severity=Severity.WARNING,
    summary="a `let`, a template or a parameter that nothing uses",
    why=(
        "It has no effect: most likely its use is misspelt, or went away. Files that others `import` are libraries, "
        "and may define more than one program uses."
    ),
    bad=_GET + "let slow = 4s\nedge web -> api { timeout: 4s }\n",
    good=_GET + "let slow = 4s\nedge web -> api { timeout: slow }\n",
)

SHADOWING_LET = Code(
    id="MSH133",
    name="shadowing-let",
    severity=Severity.ERROR,
    summary="a `let` with the name of something else",
    why=(
        "A `let` is used by its bare name. If that were also a word of the language (`strict`, `reset`), or the name "
        "of a service, an external or a group, a reader could not tell which is meant."
    ),
    bad=_GET + "let reset = [connect-failure]\nedge web -> api { retry { limit: 1, on: reset, budget: 20% } }\n",
    good=_GET + "let on-reset = [reset]\nedge web -> api { retry { limit: 1, on: on-reset, budget: 20% } }\n",
)

UNKNOWN_TEMPLATE = Code(
    id="MSH134",
    name="unknown-template",
    severity=Severity.ERROR,
    summary="a `use` of a template that the program does not have",
    why="Templates are global to the program, as names are: one of its files must define it.",
    bad=_SHOP + _TEMPLATE + "allow web -> api : GET /**\nuse webapp(cart, /cart)\nuse webap(shop, /shop/**)\n",
    good=_SHOP + _TEMPLATE + "allow web -> api : GET /**\nuse webapp(cart, /cart)\nuse webapp(shop, /shop/**)\n",
)

WRONG_ARGUMENTS = Code(
    id="MSH135",
    name="wrong-arguments",
    severity=Severity.ERROR,
    summary="more or fewer arguments than the template has parameters",
    why="Each parameter of a template stands for one argument, in the order in which they are written.",
    bad=_SHOP + _TEMPLATE + "allow web -> api : GET /**\nuse webapp(shop)\n",
    good=_SHOP + _TEMPLATE + "allow web -> api : GET /**\nuse webapp(shop, /shop/**)\n",
)

VALUE_FOR_NAME = Code(
    id="MSH136",
    name="value-for-name",
    severity=Severity.ERROR,
    summary="an argument that is a value, where the template needs a name",
    why=(
        "Where a service, a group, a version or a rule is named in a template, its parameter must be given a name. "
        "A text in quotes may stand for a peer, as a SPIFFE ID."
    ),
    bad=_SHOP + _TEMPLATE + "allow web -> api : GET /**\nuse webapp(4s, /shop/**)\n",
    good=_SHOP + _TEMPLATE + "allow web -> api : GET /**\nuse webapp(shop, /shop/**)\n",
)

TEMPLATE_CYCLE = Code(
    id="MSH137",
    name="template-cycle",
    severity=Severity.ERROR,
    summary="a template that uses itself",
    why="Templates may use others, but not in a circle: it would be written out without end.",
    bad=_GET
    + "template front(name) {\n  use back(name)\n}\n"
    + "template back(name) {\n  allow web -> name : POST /\n  use front(name)\n}\nuse front(api)\n",
    good=_GET
    + "template front(name) {\n  use back(name)\n}\n"
    + "template back(name) {\n  allow web -> name : POST /\n}\nuse front(api)\n",
)

MISPLACED_STATEMENT = Code(
    id="MSH138",
    name="misplaced-statement",
    severity=Severity.ERROR,
    summary="a statement that cannot stand in a template or an overlay",
    why=(
        "`edition`, `import`, `template` and `overlay` speak of the program as a whole and stand by themselves. A "
        "template holds no `let` either: each `use` would declare the same name again. An overlay changes the mesh by "
        "`set`, and has no `mesh` of its own."
    ),
    bad=_GET + "overlay staging {\n  edition 2026\n  set api.replicas: 2\n}\n",
    good=_GET + "overlay staging {\n  set api.replicas: 2\n}\n",
)

TOO_LARGE_EXPANSION = Code(
    id="MSH139",
    name="too-large-expansion",
    severity=Severity.ERROR,
    summary="templates or values that come to more than the compiler takes",
    why=(
        "Templates that use others twice each double at every step, and so do values made of others. The bounds "
        "(100,000 statements, 10,000 pieces of one value, 32 templates or values within each other) keep a mistake "
        "from using up the machine."
    ),
)
