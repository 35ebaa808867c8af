"""Codes of family 8xx: what a target cannot express."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = [
    "AUTHORITY_BUSY",
    "AUTHORITY_CORRUPT",
    "AUTHORITY_EXPIRED",
    "AUTHORITY_EXPIRING",
    "AUTHORITY_EXPOSED",
    "AUTHORITY_FOREIGN",
    "AUTHORITY_UNREADABLE",
    "BUNDLE_DAMAGED",
    "ENVOY_CANNOT_HOLD",
    "ENVOY_HOST_TAKEN",
    "ENVOY_OWN_HEADER",
    "ENVOY_PORT_TAKEN",
    "ENVOY_PROTOCOL",
    "KUBERNETES_NAME",
    "KUBERNETES_NAME_TAKEN",
    "KUBERNETES_SELECTOR",
    "KUBERNETES_SERVER_SIDE",
    "KUBERNETES_TOO_LARGE",
    "LOCAL_MESH_FAILED",
    "NETWORK_POLICY_CUTS",
    "NETWORK_POLICY_OPENS",
    "NETWORK_POLICY_UNREADABLE",
    "OBJECTIVE_NOT_MEASURED",
    "OBJECTIVE_WITHOUT_RULES",
    "OUTPUT_IN_THE_WAY",
    "OUTPUT_NOT_A_BUNDLE",
    "OUTPUT_UNWRITABLE",
    "ROOT_KEY_AWAY",
    "SIDECAR_CANNOT_HOLD",
    "SIDECAR_PROTOCOL",
    "TARGET_LACKS_FEATURE",
    "UP_FILE",
    "Code",
    "Severity",
]

_WEB = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\n'

ENVOY_PROTOCOL = Code(
    id="MSH800",
    name="envoy-protocol",
    severity=Severity.WARNING,
    summary="the target `envoy` does not carry the protocol of an external, and refuses its calls",
    why=(
        "A sidecar's outbound listener tells externals apart by the `Host` of a request. Calls to externals that are "
        "not HTTP (tcp, tls) have none, and the bundle has no listeners for them. They find no way out, so nothing "
        "opens that the program closes; but what the program allows there does not work. Services of the mesh may be "
        "called by tcp."
    ),
    bad=_WEB + 'external db { hosts: ["db.example"], port: 5432/tcp }\nallow web -> db : tcp\n',
    good=_WEB + "service db { port: 5432/tcp }\nallow web -> db : tcp\n",
)

ENVOY_CANNOT_HOLD = Code(
    id="MSH801",
    name="envoy-cannot-hold",
    severity=Severity.ERROR,
    summary="a part of the program does not fit into Envoy's configuration",
    why=(
        "Envoy counts times in whole milliseconds, resolves host names without `*` only, and its routes know no `or`: "
        "a rule that combines many headers becomes many routes. Nothing is rounded, dropped or widened to make it fit."
    ),
)

ENVOY_HOST_TAKEN = Code(
    id="MSH802",
    name="envoy-host-taken",
    severity=Severity.ERROR,
    summary="two things that a workload calls have the same host name and port",
    why="A sidecar chooses the callee by the `Host` of a request, so each value of it can mean one callee only.",
)

ENVOY_OWN_HEADER = Code(
    id="MSH803",
    name="envoy-own-header",
    severity=Severity.ERROR,
    summary="a rule looks at a header that Envoy itself sets or removes before it asks the rules",
    why=(
        "Connection headers, the identity header `x-forwarded-client-cert`, `x-request-id`, `x-forwarded-proto` and "
        "all `x-envoy-` headers are the proxy's own. A rule about them would see the proxy's value, not the caller's."
    ),
)

ENVOY_PORT_TAKEN = Code(
    id="MSH804",
    name="envoy-port-taken",
    severity=Severity.ERROR,
    summary="a tcp callee's port number is taken on the loopback address of a workload that calls it",
    why=(
        "A workload reaches a tcp or tls callee at the callee's own port number on loopback (`127.0.0.1:6379`), where "
        "its sidecar listens for that callee alone. A second callee of that number, the workload's own port and the "
        "sidecar's ports (15000, 15001, 15006, 15021, 15090) cannot share it: connections bear no name by which they "
        "could be told apart. Give one of the two another number; `target-port` keeps the workload behind it where "
        "it listens."
    ),
    bad=_WEB
    + "service carts { port: 6379/tcp }\nservice pages { port: 6379/tcp }\nallow web -> carts : tcp\n"
    + "allow web -> pages : tcp\n",
    good=_WEB
    + "service carts { port: 6379/tcp }\nservice pages { port: 6380/tcp, target-port: 6379 }\n"
    + "allow web -> carts : tcp\nallow web -> pages : tcp\n",
)

SIDECAR_PROTOCOL = Code(
    id="MSH820",
    name="sidecar-protocol",
    severity=Severity.WARNING,
    summary="the Python proxy does not carry the protocol of an external, and refuses its calls",
    why=(
        "Out of the mesh the Python proxy speaks HTTP/1.1, HTTP/2 and gRPC. Connections to externals of tcp and tls "
        "find no way out of it, so nothing opens that the program closes; but what the program allows there "
        "does not work through this proxy. Services of the mesh may be called so."
    ),
    bad=_WEB + 'external db { hosts: ["db.example"], port: 5432/tcp }\nallow web -> db : tcp\n',
    good=_WEB + "service db { port: 5432/tcp }\nallow web -> db : tcp\n",
)

SIDECAR_CANNOT_HOLD = Code(
    id="MSH821",
    name="sidecar-cannot-hold",
    severity=Severity.ERROR,
    summary="a value of the program does not fit into the Python proxy's snapshot",
    why=(
        "The proxy measures time in whole milliseconds up to a day and makes at most a hundred extra tries; names and "
        "paths have bounds too. A value is never rounded or cut in silence: the proxy would do other than what was "
        "written."
    ),
    bad=_WEB + "service pay { port: 9000/http }\nallow web -> pay : POST /\nedge web -> pay { timeout: 1.5ms }\n",
    good=_WEB + "service pay { port: 9000/http }\nallow web -> pay : POST /\nedge web -> pay { timeout: 2ms }\n",
)

AUTHORITY_UNREADABLE = Code(
    id="MSH840",
    name="authority-unreadable",
    severity=Severity.ERROR,
    summary="the certificate authority's directory cannot be read or written",
    why=(
        "Certificates come from a root and an intermediate kept outside the build. Where the operating system refuses "
        "to read or write them, no certificate is issued, and none is guessed at: a fresh authority would cut off "
        "every workload that trusts the old one."
    ),
)

AUTHORITY_EXPOSED = Code(
    id="MSH841",
    name="authority-exposed",
    severity=Severity.ERROR,
    summary="others than its owner can get at the certificate authority's keys",
    why=(
        "Whoever reads the authority's keys can be any workload. The directory must be 0700 and its files 0600. The "
        "build does not put the permissions right by itself: the keys may have been read already, and only people can "
        "judge that."
    ),
)

AUTHORITY_CORRUPT = Code(
    id="MSH842",
    name="authority-corrupt",
    severity=Severity.ERROR,
    summary="a file of the certificate authority does not hold what it should",
    why=(
        "The file is cut off, holds something else, or its key and certificate do not belong together. It is never "
        "replaced silently: a new root would not be trusted by the workloads that run. Restore the file, or move the "
        "directory away to start a new authority."
    ),
)

AUTHORITY_FOREIGN = Code(
    id="MSH843",
    name="authority-of-another-trust-domain",
    severity=Severity.ERROR,
    summary="the certificate authority belongs to another trust domain",
    why=(
        "A trust domain has its own root: one that signs for two would let each speak for the other (SPIFFE Trust "
        "Domain and Bundle, section 2). Name the directory that belongs to this mesh, or keep the trust domain as it "
        "was."
    ),
)

AUTHORITY_EXPIRED = Code(
    id="MSH844",
    name="authority-expired",
    severity=Severity.ERROR,
    summary="the certificate authority's root is not valid at this time",
    why=(
        "Past its end no peer accepts what the root vouches for; before its beginning neither, which most often means "
        "that a clock is wrong. A new root has to be brought to every workload, so that is never done in passing."
    ),
)

AUTHORITY_EXPIRING = Code(
    id="MSH845",
    name="authority-expiring",
    severity=Severity.WARNING,
    summary="the certificate authority's root ends soon",
    why=(
        "What the root signs cannot outlive it, so certificates are getting shorter. Plan the change while old and "
        "new can be trusted side by side."
    ),
)

AUTHORITY_BUSY = Code(
    id="MSH846",
    name="authority-busy",
    severity=Severity.ERROR,
    summary="another build holds the certificate authority",
    why=(
        "Two builds at once could each make a root or an intermediate, and one would be lost. A build holds the "
        "authority for a moment only; one that holds it for long has been stopped or hangs."
    ),
)

ROOT_KEY_AWAY = Code(
    id="MSH847",
    name="root-key-away",
    severity=Severity.ERROR,
    summary="a new intermediate is needed, and the root's key is not there",
    why=(
        "A root's key may be kept elsewhere while its intermediate lasts. The intermediate is near its end, or gone, "
        "and only the root's key can sign the next one."
    ),
)

_MESH = 'edition 2026\n\nmesh shop { trust-domain: "shop.example" }\n\n'
_API_V1 = _MESH + "service api {\n  port: 8080/http\n  versions: [v1, v2]\n}\nallow ingress -> api : GET /**\n"

KUBERNETES_NAME = Code(
    id="MSH850",
    name="kubernetes-name",
    severity=Severity.ERROR,
    summary="Kubernetes does not accept a name that follows from the program",
    why=(
        "Names of Kubernetes objects and values of labels have a narrow alphabet and a length of 63 characters at "
        "most (253 for some). The API server would refuse the object halfway through an apply; the build says so "
        "first."
    ),
    bad=_MESH + 'service web {\n  port: 8080/http\n  selector: {app: "the web"}\n}\nallow ingress -> web : GET /**\n',
    good=_MESH + 'service web {\n  port: 8080/http\n  selector: {app: "the-web"}\n}\nallow ingress -> web : GET /**\n',
)

KUBERNETES_NAME_TAKEN = Code(
    id="MSH851",
    name="kubernetes-name-taken",
    severity=Severity.ERROR,
    summary="two parts of the program need a Kubernetes object of the same name",
    why=(
        "The headless Service of version `v1` of `api` is called `api-v1-mesh`, and so is that of a service `api-v1`. "
        "The later would overwrite the earlier, and calls would reach the wrong pods."
    ),
    bad=_API_V1 + "service api-v1 { port: 8080/http }\nallow ingress -> api-v1 : GET /**\n",
    good=_API_V1 + "service api-first { port: 8080/http }\nallow ingress -> api-first : GET /**\n",
)

KUBERNETES_SELECTOR = Code(
    id="MSH852",
    name="kubernetes-selector",
    severity=Severity.ERROR,
    summary="a workload's selector finds no pods of its own",
    why=(
        "An empty selector finds every pod of the namespace, and one that also finds another workload's pods sends "
        "calls to pods with another identity. Either way a network policy would open more than the program says."
    ),
    bad=_API_V1
    + 'service admin {\n  port: 80/http\n  selector: {app: "api", tier: "x"}\n}\nallow ingress -> admin : GET /**\n',
    good=_API_V1
    + 'service admin {\n  port: 80/http\n  selector: {app: "admin", tier: "x"}\n}\nallow ingress -> admin : GET /**\n',
)

KUBERNETES_TOO_LARGE = Code(
    id="MSH853",
    name="kubernetes-object-too-large",
    severity=Severity.ERROR,
    summary="an object is larger than Kubernetes stores",
    why=(
        "The API server stores at most 1 MiB of data in a ConfigMap or Secret. A sidecar's configuration grows with "
        "the services that the workload may call: split the workload, or narrow what it may call."
    ),
)

KUBERNETES_SERVER_SIDE = Code(
    id="MSH854",
    name="kubernetes-server-side-apply",
    severity=Severity.WARNING,
    summary="an object is too large for a plain `kubectl apply`",
    why=(
        "`kubectl apply` keeps a copy of each object in an annotation, and annotations hold at most 256 KiB. `kubectl "
        "apply --server-side` keeps none."
    ),
)

OUTPUT_NOT_A_BUNDLE = Code(
    id="MSH860",
    name="output-not-a-bundle",
    severity=Severity.ERROR,
    summary="the output directory holds something that no build made",
    why=(
        "A build replaces its output directory as a whole. A directory without meshc's `manifest.json`, or with files "
        "that its manifest does not list, holds something of yours: it would be lost. Name another directory, or move "
        "what is there."
    ),
)

OUTPUT_IN_THE_WAY = Code(
    id="MSH861",
    name="output-in-the-way",
    severity=Severity.ERROR,
    summary="the output path is no directory",
    why=(
        "A file, a symbolic link or a device stands where the bundle should go. A build does not write through links, "
        "since that would replace a directory somewhere else, and removes nothing that it did not write."
    ),
)

OUTPUT_UNWRITABLE = Code(
    id="MSH862",
    name="output-unwritable",
    severity=Severity.ERROR,
    summary="a file or directory of the output cannot be written",
    why=(
        "The operating system refused: permissions, a read-only or full disk, a parent that is no directory. What "
        "was there before is as it was; of the new nothing is left."
    ),
)

OUTPUT_HOLDS_AUTHORITY = Code(
    id="MSH866",
    name="output-holds-authority",
    severity=Severity.ERROR,
    summary="the certificate authority lies inside the output directory",
    why=(
        "A build replaces its output as a whole, so the authority's keys would be lost with the next build; and they "
        "would travel with the bundle to wherever it is applied. Keep the authority beside the output, or leave "
        "`--authority` out."
    ),
)

BUNDLE_DAMAGED = Code(
    id="MSH863",
    name="bundle-damaged",
    severity=Severity.ERROR,
    summary="a bundle does not hold what its manifest says",
    why=(
        "A file of the bundle is missing, was changed after the build, is readable by others though it is secret, or "
        "the manifest itself cannot be read. Build it again from the program."
    ),
)

UP_FILE = Code(
    id="MSH864",
    name="up-file",
    severity=Severity.ERROR,
    summary="`up.toml` cannot be used",
    why=(
        "`up.toml` says where parts of the mesh run on this machine. It is closed: a field or name that means nothing "
        "is most likely misspelt, and ignoring it would run something else than what was asked for."
    ),
)

LOCAL_MESH_FAILED = Code(
    id="MSH865",
    name="local-mesh-failed",
    severity=Severity.ERROR,
    summary="the mesh cannot be run on this machine",
    why=(
        "A sidecar or workload did not start: a port is taken, the run folder cannot be written or belongs to a mesh "
        "that runs already, or nothing of the mesh can be carried by the Python proxy. What was started has been "
        "stopped again; the logs are in the run folder."
    ),
)

_READ = _MESH + "service web {}\nservice api { port: 8080/http }\nallow web -> api : GET /**\n"

TARGET_LACKS_FEATURE = Code(
    id="MSH870",
    name="target-lacks-feature",
    severity=Severity.ERROR,
    summary="a target of the build does not carry what a statement asks for",
    why=(
        "Not every proxy can do what the language can say. What a target does not carry is never left out of its files "
        "in silence: the mesh would look as if it did what the program says. Build only targets that carry it, or take "
        "it out of the program."
    ),
    bad=_READ + "edge web -> api { balance: peak-ewma }\n",
    good=_READ + "edge web -> api { balance: round-robin }\n",
)

_SLO = _MESH + "service api { port: 8080/http }\nallow ingress -> api : GET /**\n"

OBJECTIVE_WITHOUT_RULES = Code(
    id="MSH871",
    name="objective-without-rules",
    severity=Severity.INFO,
    summary="no target of the build makes anything of an objective",
    why=(
        "An `slo` changes no call. What watches over it are the recording rules and alerts that the target "
        "`prometheus` makes of it; a build without that target leaves the promise on paper."
    ),
    bad=_SLO + "slo api { availability: 99.9% }\n",
    good=_SLO,
)

OBJECTIVE_NOT_MEASURED = Code(
    id="MSH872",
    name="objective-not-measured",
    severity=Severity.ERROR,
    summary="the sidecars of the build do not measure what an objective is about",
    why=(
        "Envoy measures in whole milliseconds, and the least that the Python proxy tells apart is half of one; of "
        "ports other than http the Python proxy counts nothing. A rule about a number that nobody counts would never "
        "fire, and look as if all were well."
    ),
    bad=_SLO + "slo api { latency-p99: 200us }\n",
    good=_SLO + "slo api { latency-p99: 2ms }\n",
)

NETWORK_POLICY_CUTS = Code(
    id="MSH885",
    name="network-policy-cuts",
    severity=Severity.ERROR,
    summary="the network policies of a build, read back, cut off a call that the program allows",
    why=(
        "Every build reads its network policies back, by other code than wrote them and by what Kubernetes documents, "
        "and proves that each connection that some allow needs leaves the caller and may come in at the callee, that "
        "callers can look up names, and that externals can be reached. The witness is a request that the program "
        "allows and that would find no way. Nothing is written then: it is a mistake of meshc."
    ),
)

NETWORK_POLICY_OPENS = Code(
    id="MSH886",
    name="network-policy-opens",
    severity=Severity.ERROR,
    summary="the network policies of a build, read back, open a connection that no allow needs",
    why=(
        "A network policy sees pods and ports, so what it opens is more than the program allows; but it must open "
        "nothing between two workloads of which no allow speaks, nor to pods and addresses that the program does not "
        "know. Every build proves it by reading the policies back. Nothing is written then: it is a mistake of meshc."
    ),
)

NETWORK_POLICY_UNREADABLE = Code(
    id="MSH887",
    name="network-policy-unreadable",
    severity=Severity.ERROR,
    summary="the network policies of a build cannot be read back",
    why=(
        "What is not understood is not proved: a field that Kubernetes does not know, or a selector about labels of "
        "which the program says nothing. Nothing is written then: it is a mistake of meshc."
    ),
)
