"""The words within statements, each with what it means."""

from __future__ import annotations

from collections.abc import Mapping

from meshc_lang.reference.entry import Entry

__all__ = ["WORDS"]

WORDS: Mapping[str, Entry] = {
    "any": Entry("any", "Every caller with a verified identity of the mesh; as a callee, every service."),
    "ingress": Entry("ingress", "The gateway by which calls enter the mesh. It needs no declaration."),
    "plaintext": Entry("plaintext", "Calls without a mesh identity; heard only where `mtls` is `permissive`."),
    "if": Entry('if header "x" present', "A condition that requests must meet besides the matcher."),
    "unless": Entry('unless header "x" == "y"', "What a `deny` leaves alone."),
    "because": Entry('because "reason"', "The reason. It is kept, and shown by `meshc why`."),
    "where": Entry('where service.LABEL == "…"', "The services of which a condition on labels holds."),
    "header": Entry(
        'header "x-beta" == "1"',
        "A header, as a list: repeated lines and commas make members, and `==` asks whether one of them is the value. "
        "An empty header is present; a missing one is not empty.",
    ),
    "query": Entry('query "page" == "1"', "A parameter of the query; of a repeated one, some value."),
    "cookie": Entry('cookie "tier" == "gold"', "A cookie."),
    "claim": Entry('claim "role" == "sre"', "A claim of a verified end-user token; of a list, some member."),
    "from": Entry("from web", "Holds of requests of a caller."),
    "present": Entry('header "x" present', "The attribute is there, be it empty."),
    "in": Entry('header "x" in ["a", "b"]', "The attribute has one of these values."),
    "and": Entry("a and b", "Both hold; binds closer than `or`."),
    "or": Entry("a or b", "One of them holds."),
    "not": Entry("not a", "It does not hold; binds closer than `and`."),
    "rpc": Entry("rpc pkg.Service/Method", "A gRPC call: POST on `/pkg.Service/Method`. `*` stands for all methods."),
    "tcp": Entry("tcp", "Connections, on a port that carries no requests."),
    "on": Entry("fault NAME on A -> B", "Before the edge of a fault; as a value, the opposite of `off`."),
    "off": Entry("retry: off", "Switches a setting off that a wider scope switched on."),
    "for": Entry('import proto "pay.proto" for payments', "The service whose rpcs or paths a schema declares."),
    "as": Entry("as NAME", "Names a rule of a route, for logs, metrics, tests and `over`."),
    "over": Entry("over NAME", "Lets this rule win over another where both match."),
    "burst": Entry("burst 100", "How many requests may come at once before the rate holds."),
    "per": Entry('per header "x-user"', "A bucket of its own for each value of an attribute."),
    "never": Entry("assert never A -> B : GET /x", "No such request is allowed; with `->*`, nor through others."),
    "always": Entry("assert always A -> B : GET /x", "Every such request is allowed."),
    "only": Entry("assert only A -> B", "Nobody but A may call B."),
    "every": Entry("assert every edge has edge.timeout <= 4s", "Every edge that some allow opens meets the condition."),
    "to": Entry("every edge to api", "Only edges to this callee; `from` names the caller."),
    "has": Entry("every edge has edge.timeout <= 4s", "What each edge must fulfil."),
    "mtls": Entry("assert mtls A -> B", "No call, or none of the flow, is accepted without mutual TLS."),
    "attempts": Entry(
        "assert attempts(A -> B) <= 8", "How often one call can reach B at worst, retries of all included."
    ),
    "deadline": Entry("assert deadline(A -> B) <= 2s", "How long a call can take at worst."),
    "claims": Entry('claims {role: "sre"}', "The claims of the end-user token that a request of a test bears."),
    "is": Entry("is allowed, routed v1", "What a test expects."),
    "allowed": Entry("is allowed", "Some allow matches, and no deny does."),
    "denied": Entry("is denied", "No allow matches, or some deny does."),
    "routed": Entry("routed v1", "To which version the request goes."),
    "by": Entry("by canary", "Which rule of the route decides."),
    "redirect": Entry('=> redirect "https://…"', "The caller is sent elsewhere; nothing is called."),
    "respond": Entry("=> respond 404", "The caller gets this status; nothing is called."),
}
"""Words within statements."""
