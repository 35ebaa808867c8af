"""The operations of an OpenAPI document (3.x, and Swagger 2.0), in YAML or JSON, as methods and path templates.

Sources: OpenAPI Specification 3.1.1 §4.8 (paths, servers, parameters, references) and Swagger 2.0. A template here is
never narrower than the document's: what our templates cannot say (`/{id}.json`) becomes "any segment".
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from meshc_compiler.finding import Findings
from meshc_compiler.importing.fact import ApiOperation
from meshc_compiler.importing.yaml_tree import Mapping, Node, Scalar, YamlProblem, read_yaml
from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.path import canonical_path
from meshc_lang.codes import names
from meshc_lang.pattern import pattern
from meshc_lang.source import SourceText, Span

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
"""The fields of a path item that are operations."""

_MOST_REFERENCES = 32
"""The most `$ref`s in a row."""
_LONGEST_PATH = 2000
"""The most characters of a path, as of templates in programs."""
_VARIABLE = pattern(r"\{([^{}/]*)\}")
_PLACEHOLDER = "meshc-variable"


def read_openapi(source: SourceText, findings: Findings) -> tuple[ApiOperation, ...] | None:
    """Return the operations of a document in the order written; None, with a finding, where it is none."""
    documents = read_yaml(source)
    if isinstance(documents, YamlProblem):
        message = f"`{source.path}` is neither YAML nor JSON: {documents.message}"
        findings.add(names.MALFORMED_IMPORT, message, documents.span)
        return None
    root = documents[0] if documents else None
    version = root.text("openapi") or root.text("swagger") if isinstance(root, Mapping) else None
    if not isinstance(root, Mapping) or version is None or not version.startswith(("3.", "2.")):
        message = f"`{source.path}` is not an OpenAPI document"
        help_line = "one begins with its version: `openapi: 3.1.0` (3.0 and Swagger 2.0 are read too)"
        findings.add(names.MALFORMED_IMPORT, message, source.span(0, 0), help=help_line)
        return None
    return _OpenApiReader(source, root, findings).operations()


class _OpenApiReader:
    """Reads one document; what is a reference inside of it is followed."""

    def __init__(self, source: SourceText, root: Mapping, findings: Findings) -> None:
        self._source = source
        self._root = root
        self._findings = findings
        self._sound = True
        self._elsewhere: set[str] = set()

    def operations(self) -> tuple[ApiOperation, ...] | None:
        paths = self._root.get("paths")
        if paths is None:
            return ()
        if not isinstance(paths, Mapping):
            self._malformed("`paths` is a mapping from paths to what may be asked of them", paths.span)
            return None
        bases = self._bases(self._root)
        found: list[ApiOperation] = []
        for key, node in paths.entries.values():
            if key.text.startswith("x-"):
                continue
            if not key.text.startswith("/"):
                self._malformed(f"a path begins with `/`, and this is `{key.text}`", key.span)
                continue
            item = self._followed(node)
            if isinstance(item, Mapping) and item is not node and isinstance(node, Mapping):
                # Fields beside a `$ref` add to what is referred to.
                item = Mapping(entries=item.entries | node.entries, span=node.span)
            if isinstance(item, Mapping):
                found += self._item(key, item, bases)
            elif item is _ELSEWHERE:
                # In another file, so nobody knows which methods it has.
                found += self._at_bases(bases, key, {}, (), key.span)
            elif item is not None:
                self._malformed(f"what may be asked of `{key.text}` is a mapping", node.span)
        return tuple(found) if self._sound else None

    def _item(self, path: Scalar, item: Mapping, bases: tuple[str, ...]) -> Iterator[ApiOperation]:
        bases = self._bases(item) if "servers" in item.entries else bases
        shared = self._classes(item)
        fields = [(word, word.upper(), item) for word in (*METHODS, "query")]
        additional = item.mapping("additionalOperations")
        if additional is not None:
            fields += [(word, word, additional) for word in additional.entries]
        for word, method, owner in fields:
            operation = owner.mapping(word)
            if operation is None:
                continue
            own = self._bases(operation) if "servers" in operation.entries else bases
            classes = {**shared, **self._classes(operation)}
            yield from self._at_bases(own, path, classes, (method,), owner.key(word).span)

    def _at_bases(
        self,
        bases: tuple[str, ...],
        path: Scalar,
        classes: dict[str, SegmentKind],
        methods: tuple[str, ...],
        span: Span,
    ) -> Iterator[ApiOperation]:
        for base in bases:
            template = _template(base.rstrip("/") + path.text, classes)
            if template is None:
                message = f"no request can have the path `{path.text}`, so it is left out"
                self._findings.add(names.NOT_CARRIED_OVER, message, path.span)
            else:
                yield ApiOperation(methods=methods, path=template, span=span)

    # ---- servers

    def _bases(self, owner: Mapping) -> tuple[str, ...]:
        """Return the path of each server (3.x) or the base path (2.0), without those said twice."""
        if (base := owner.text("basePath")) is not None:
            return ("/" + base.strip("/"),)
        found = []
        for server in owner.mappings("servers"):
            url = server.text("url") or "/"
            variables = server.mapping("variables")
            for name in _VARIABLE.findall(url):
                value = variables.text(name, "default") if variables is not None else None
                url = url.replace(f"{{{name}}}", value or "")
            try:
                path = urlsplit(url).path
            except ValueError:
                self._malformed(f"`{url}` is no URL", server.span)
                continue
            found.append("/" + path.strip("/"))
        return tuple(dict.fromkeys(found)) or ("/",)

    # ---- parameters

    def _classes(self, owner: Mapping) -> dict[str, SegmentKind]:
        """Return what the path's parameters may be, by name."""
        classes = {}
        for item in owner.items("parameters"):
            parameter = self._followed(item)
            if isinstance(parameter, Mapping) and parameter.text("in") == "path":
                schema = self._followed(parameter.get("schema")) if "schema" in parameter.entries else parameter
                classes[parameter.text("name") or ""] = _class_of(schema if isinstance(schema, Mapping) else None)
        return classes

    # ---- references

    def _followed(self, node: Node | None) -> Node | None:
        """Return what a node refers to, or itself; None, with a finding, where that leads nowhere."""
        if node is None:
            return None
        seen: list[str] = []
        while isinstance(node, Mapping) and isinstance(reference := node.get("$ref"), Scalar):
            target = reference.text
            if not target.startswith("#"):
                if target not in self._elsewhere:
                    self._elsewhere.add(target)
                    message = f"`{target}` is in another file, which is not read: what stands there may be anything"
                    self._findings.add(names.NOT_CARRIED_OVER, message, reference.span)
                return _ELSEWHERE
            if target in seen or len(seen) >= _MOST_REFERENCES:
                self._malformed(f"`{target}` refers to itself", reference.span)
                return None
            seen.append(target)
            pointer = [unquote(step).replace("~1", "/").replace("~0", "~") for step in target.split("/")[1:]]
            found = self._root.get(*pointer) if pointer else None
            if found is None:
                self._malformed(f"there is no `{target}` in this file", reference.span)
                return None
            node = found
        return node

    def _malformed(self, message: str, span: Span) -> None:
        self._sound = False
        text = f"`{self._source.path}` is not a well-formed OpenAPI document: {message}"
        self._findings.add(names.MALFORMED_IMPORT, text, span)


_ELSEWHERE: Node = Scalar(text="", plain=False, span=SourceText("", "").span(0, 0))
"""What stands for a reference to another file."""


def _class_of(schema: Mapping | None) -> SegmentKind:
    """Return the class of segments that holds the values of a schema; a minimum below zero allows for a sign."""
    if schema is None:
        return SegmentKind.ANY
    kind = schema.text("type")
    if kind == "integer":
        minimum = schema.text("minimum") or "0"
        return SegmentKind.ANY if minimum.startswith("-") else SegmentKind.INT
    if kind == "string" and schema.text("format") == "uuid":
        return SegmentKind.UUID
    return SegmentKind.ANY


def _template(path: str, classes: dict[str, SegmentKind]) -> PathTemplate | None:
    """Return a path with `{parameters}` as a template; None where no request can have it."""
    canonical = canonical_path(_VARIABLE.sub(_PLACEHOLDER, path)) if len(path) <= _LONGEST_PATH else None
    if canonical is None:
        return None
    parameters = _VARIABLE.findall(path)
    # Dot segments may have taken a parameter away; then nothing says which class belongs to which.
    variables = iter(parameters if canonical.count(_PLACEHOLDER) == len(parameters) else [""] * len(parameters))
    segments: list[Segment] = []
    pieces = canonical.split("/")[1:]
    if pieces[-1] == "":
        pieces.pop()
    for position, piece in enumerate(pieces):
        held = [next(variables, "") for _ in range(piece.count(_PLACEHOLDER))]
        if not held:
            segments.append(Segment(SegmentKind.LITERAL, piece))
        elif held[0].endswith(("+", "*")) and position == len(pieces) - 1:
            # `{proxy+}`: how gateways write "the rest".
            segments.append(Segment(SegmentKind.REST))
        elif piece == _PLACEHOLDER:
            segments.append(Segment(classes.get(held[0], SegmentKind.ANY)))
        else:
            segments.append(Segment(SegmentKind.ANY))
    return PathTemplate(tuple(segments))
