"""Codes of family 7xx: overlays."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_SHOP = (
    'mesh shop { trust-domain: "shop.example" }\n'
    "service web {}\n"
    "service api { port: 8080/http, versions: [v1, v2] }\n"
    "allow web -> api : GET /**\n"
    "defaults api { timeout: 5s }\n"
    "route api {\n  /** => v1 95%, v2 5% as canary\n}\n"
)

HITS_NOTHING = Code(
    id="MSH701",
    name="overlay-hits-nothing",
    severity=Severity.ERROR,
    summary="a `set` or `drop` of something that the program does not have",
    why=(
        "An overlay changes what is there. A path that names nothing is most likely misspelt, or what it named has "
        "gone: without an error, staging would quietly stop being what its overlay says."
    ),
    bad=_SHOP + "overlay staging {\n  set api.route.canari: [50%, 50%]\n}\n",
    good=_SHOP + "overlay staging {\n  set api.route.canary: [50%, 50%]\n}\n",
)

CHANGES_NOTHING = Code(
    id="MSH702",
    name="overlay-changes-nothing",
    severity=Severity.WARNING,
    summary="a `set` to the value that is there already",
    why="It has no effect now, and will surprise whoever changes the program later and sees staging stay behind.",
    bad=_SHOP + "overlay staging {\n  set api.defaults.timeout: 5000ms\n}\n",
    good=_SHOP + "overlay staging {\n  set api.defaults.timeout: 8s\n}\n",
)

CONTRADICTION = Code(
    id="MSH703",
    name="overlay-contradiction",
    severity=Severity.ERROR,
    summary="two items of an overlay that touch the same thing",
    why="Which of them counts would depend on their order, and order never matters.",
    bad=_SHOP + "overlay staging {\n  set api.defaults.timeout: 8s\n  set api.defaults.timeout: 9s\n}\n",
    good=_SHOP + "overlay staging {\n  set api.defaults.timeout: 8s\n}\n",
)

CANNOT_SET = Code(
    id="MSH704",
    name="overlay-cannot-set",
    severity=Severity.ERROR,
    summary="a `set` or `drop` of a kind that its path does not take",
    why=(
        "A setting takes a value, a rule of a route the shares of its targets in their order, a whole declaration "
        "neither: it is changed field by field, or taken away by `drop`."
    ),
    bad=_SHOP + "overlay staging {\n  set api.route.canary: [50%, 30%, 20%]\n}\n",
    good=_SHOP + "overlay staging {\n  set api.route.canary: [50%, 50%]\n}\n",
)
