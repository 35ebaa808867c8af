"""The imports of a program followed: further files of the language are added, and what others wrote becomes facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.importing.fact import FoundService, ImportedFacts, ImportedSchema
from meshc_compiler.importing.kubernetes import assemble
from meshc_compiler.importing.manifest import SUFFIXES, Manifest, read_manifest
from meshc_compiler.importing.openapi import read_openapi
from meshc_compiler.importing.proto import read_proto
from meshc_compiler.loader import (
    DEEPEST_DIRECTORY,
    LARGEST_FILE,
    LARGEST_PROGRAM,
    MOST_ENTRIES,
    MOST_FILES,
    SUFFIX,
    FileShelf,
    Refusal,
    SourceReader,
    Unread,
    directory_of,
    read_text,
)
from meshc_compiler.program_path import resolve_inside
from meshc_compiler.source_reader import plain_path
from meshc_lang.codes import names, units
from meshc_lang.diagnostic import Fix, Label
from meshc_lang.source import SourceText
from meshc_lang.tree.declaration import ImportDecl

KINDS = ("kubernetes", "openapi", "proto")
"""What may stand behind `import`; nothing means a file of the language."""


def load_imports(shelf: FileShelf, root: str, reader: SourceReader, findings: Findings) -> ImportedFacts:
    """Return what the imports of these files say; files of the language that they import are added to them.

    `root` is the program's directory, as diagnostics name it.
    """
    loader = _ImportLoader(shelf, root, reader, findings)
    loader.follow()
    return loader.facts()


class _ImportLoader:
    """Follows imports. Whatever is reached twice is read once."""

    def __init__(self, shelf: FileShelf, root: str, reader: SourceReader, findings: Findings) -> None:
        self._shelf = shelf
        self._root = root
        self._reader = reader
        self._findings = findings
        self._left = LARGEST_PROGRAM
        self._others: list[ImportDecl] = []
        self._edges: dict[str, list[tuple[ImportDecl, str]]] = {}
        self._texts: dict[str, SourceText | None] = {}
        self._manifests: dict[str, Manifest | None] = {}
        self._incomplete = False

    # ---- files of the language

    def follow(self) -> None:
        """Read the files of the language that are imported, and those that they import."""
        pending = sorted(self._shelf.files)
        while pending:
            importing = pending.pop(0)
            edges = self._edges[importing] = []
            for statement in self._shelf.files[importing].statements:
                if not isinstance(statement, ImportDecl):
                    continue
                if statement.kind is not None:
                    self._others.append(statement)
                    continue
                real = self._follow_one(statement)
                if real is not None:
                    edges.append((statement, real))
                    if real not in self._edges and real not in pending:
                        pending.append(real)
        self._tell_circles()

    def _follow_one(self, statement: ImportDecl) -> str | None:
        """Return the real path of the file of the language that a statement imports, which is then among the files."""
        if statement.service is not None:
            message = "a file of the language is imported for the whole program, not `for` one service"
            self._findings.add(names.UNKNOWN_FIELD, message, statement.service.span)
        path = self._resolved(statement)
        if path is None:
            self._incomplete = True
            return None
        real = self._reader.real_path(path) or path
        if real in self._shelf.files:
            return real
        if not path.endswith(SUFFIX):
            self._incomplete = True
            kinds = {".proto": "proto", ".yaml": "openapi", ".yml": "openapi", ".json": "openapi"}
            kind = next((kind for suffix, kind in kinds.items() if path.endswith(suffix)), None)
            help_line = f'write `import {kind} "{statement.path.text}" for SERVICE`' if kind else ""
            message = f"`{path}` is not a `{SUFFIX}` file"
            self._findings.add(names.MALFORMED_IMPORT, message, statement.path.span, help=help_line)
            return None
        problem = self._shelf.add(real, path)
        if problem is not None:
            self._incomplete = True
            self._tell_missing(statement, problem.message)
            return None
        return real

    def _tell_circles(self) -> None:
        """Tell of each circle of imports once, at the import that closes it."""
        done: set[str] = set()
        for start in sorted(self._edges):
            trail: list[str] = []
            steps: list[Iterator[tuple[ImportDecl, str]]] = []
            taken: list[ImportDecl] = []
            if start not in done:
                trail.append(start)
                steps.append(iter(self._edges[start]))
            while steps:
                step = next(steps[-1], None)
                if step is None:
                    done.add(trail.pop())
                    steps.pop()
                    if taken:
                        taken.pop()
                    continue
                statement, reached = step
                if reached in trail:
                    self._tell_circle([*taken[trail.index(reached) :], statement])
                elif reached not in done:
                    trail.append(reached)
                    taken.append(statement)
                    steps.append(iter(self._edges.get(reached, ())))

    def _tell_circle(self, circle: list[ImportDecl]) -> None:
        *others, last = circle
        path = last.span.source.path
        message = f"`{path}` imports itself"
        if others:
            message = f"`{others[0].span.source.path}` and `{path}` import each other"
            if len(others) > 1:
                message = f"{len(circle)} files import each other in a circle, from `{path}` round to itself"
        labels = tuple(
            Label(statement.path.span, f"`{statement.span.source.path}` imports it here") for statement in others
        )
        self._findings.add(names.IMPORT_CYCLE, message, last.path.span, related=labels)

    # ---- what others wrote

    def facts(self) -> ImportedFacts:
        """Return what the other imports say."""
        manifests: list[ImportDecl] = []
        schemas: list[ImportedSchema] = []
        for statement in sorted(self._others, key=lambda one: one.span.sort_key):
            kind = statement.kind.text if statement.kind is not None else ""
            if kind not in KINDS:
                self._tell_kind(statement)
            elif kind == "kubernetes":
                manifests.append(statement)
            elif statement.service is None:
                message = (
                    f"it is not said whose {'rpcs' if kind == 'proto' else 'paths'} `{statement.path.text}` declares"
                )
                help_line = f'write `import {kind} "{statement.path.text}" for SERVICE`'
                self._findings.add(names.MISSING_FIELD, message, statement.span, help=help_line)
            elif (schema := self._schema(statement, kind)) is not None:
                schemas.append(schema)
        services = self._found_services(manifests)
        return ImportedFacts(
            manifests=tuple(manifests),
            services=services,
            schemas=tuple(schemas),
            libraries=frozenset(
                self._shelf.files[real].source.path for edges in self._edges.values() for _, real in edges
            ),
            sources=tuple(text for text in self._texts.values() if text is not None),
            incomplete=self._incomplete,
        )

    def _tell_kind(self, statement: ImportDecl) -> None:
        kind = statement.kind
        assert kind is not None  # noqa: S101 - what has none is a file of the language
        help_line, fixes = did_you_mean(kind.text, KINDS, kind.span)
        help_line = help_line or f"known are {one_of(KINDS).replace(' or ', ' and ')}"
        message = f"nothing of the kind `{kind}` can be imported"
        self._findings.add(units.UNKNOWN_WORD, message, kind.span, help=help_line, fixes=fixes)
        self._incomplete = True

    def _schema(self, statement: ImportDecl, kind: str) -> ImportedSchema | None:
        path = self._resolved(statement)
        source = None if path is None else self._text(statement, path)
        if source is None:
            return None
        if kind == "proto":
            services = read_proto(source, self._findings)
            if services is None:
                return None
            if not any(service.rpcs for service in services):
                self._tell_empty(statement, f"`{source.path}` declares no rpc")
                return None
            return ImportedSchema(declaration=statement, services=services)
        operations = read_openapi(source, self._findings)
        if operations is None:
            return None
        if not operations:
            self._tell_empty(statement, f"`{source.path}` declares no path")
            return None
        return ImportedSchema(declaration=statement, operations=operations)

    def _found_services(self, statements: Iterable[ImportDecl]) -> tuple[FoundService, ...]:
        """Return the services of all manifests together: what one directory runs, another may expose."""
        for statement in statements:
            if statement.service is not None:
                message = "manifests declare services by themselves, so they are not imported `for` one"
                self._findings.add(names.UNKNOWN_FIELD, message, statement.service.span)
            path = self._resolved(statement)
            paths = [] if path is None else self._manifest_paths(statement, path)
            read = [self._manifest(statement, one) for one in paths]
            manifests = [manifest for manifest in read if manifest is not None]
            if path is None or len(manifests) < len(read):
                self._incomplete = True
            elif not any(manifest.objects for manifest in manifests):
                self._incomplete = True
                self._tell_empty(statement, f"there is no service in `{path}`, and nothing that runs pods")
            self._tell_passed_over(statement, manifests)
        return assemble((one for one in self._manifests.values() if one is not None), self._findings)

    def _manifest_paths(self, statement: ImportDecl, path: str) -> list[str]:
        """Return the manifests at a path: itself, or those below the directory, by name."""
        if not self._reader.is_directory(path):
            return [path]
        found: list[str] = []
        entered = {self._reader.real_path(path)}
        entries = 0
        pending = [(path, 0)]
        while pending:
            directory, depth = pending.pop()
            listed = self._reader.list_directory(directory)
            if isinstance(listed, Refusal):
                self._tell_missing(statement, f"`{directory}` {listed.reason}")
                self._incomplete = True
                continue
            entries += len(listed)
            if entries > MOST_ENTRIES or depth > DEEPEST_DIRECTORY:
                bound = f"more than {MOST_ENTRIES:,} files" if entries > MOST_ENTRIES else "directories nested too deep"
                self._tell_missing(statement, f"there are {bound} below `{path}`")
                self._incomplete = True
                return []
            for name in listed:
                inner = name if directory == "." else f"{directory}/{name}"
                is_directory = self._reader.is_directory(inner)
                if name.startswith(".") or not (is_directory or name.endswith(SUFFIXES)):
                    continue
                refusal = resolve_inside(self._root, directory, name, self._reader, directory=True)
                if isinstance(refusal, Refusal):
                    self._tell_refusal(statement, inner, refusal)
                    self._incomplete = True
                elif not is_directory:
                    found.append(inner)
                elif (real := self._reader.real_path(inner)) not in entered:
                    entered.add(real)
                    pending.append((inner, depth + 1))
        return sorted(found)

    def _manifest(self, statement: ImportDecl, path: str) -> Manifest | None:
        real = self._reader.real_path(path) or path
        if real not in self._manifests:
            source = self._text(statement, path)
            self._manifests[real] = None if source is None else read_manifest(source, self._findings)
        return self._manifests[real]

    def _tell_passed_over(self, statement: ImportDecl, manifests: Iterable[Manifest]) -> None:
        counts: Counter[str] = Counter()
        labels: dict[str, Label] = {}
        for manifest in manifests:
            for kind, number, span in manifest.passed_over:
                counts[kind] += number
                labels.setdefault(kind, Label(span, f"the first `{kind}`"))
        if counts:
            listed = ", ".join(f"{counts[kind]} `{kind}`" for kind in sorted(counts))
            message = f"objects that declare no service are left out: {listed}"
            first = tuple(labels[kind] for kind in sorted(labels)[:3])
            self._findings.add(names.NOT_CARRIED_OVER, message, statement.path.span, related=first)

    # ---- files

    def _resolved(self, statement: ImportDecl) -> str | None:
        """Return the path that a statement names, as diagnostics name it, or tell why it is refused."""
        kind = None if statement.kind is None else statement.kind.text
        path = resolve_inside(
            self._root,
            directory_of(statement.span.source.path),
            statement.path.text,
            self._reader,
            directory=kind == "kubernetes",
        )
        if isinstance(path, Refusal):
            self._tell_refusal(statement, statement.path.text, path)
            return None
        return path

    def _text(self, statement: ImportDecl, path: str) -> SourceText | None:
        """Return a file's text, read once; None, with a finding, where it cannot be had."""
        real = self._reader.real_path(path) or path
        if real in self._texts:
            return self._texts[real]
        text: SourceText | Unread | None = None
        if len(self._texts) < MOST_FILES:
            text = read_text(path, self._reader, LARGEST_FILE)
        elif len(self._texts) == MOST_FILES:
            self._tell_missing(statement, f"imports may read {MOST_FILES:,} files together, and `{path}` is one more")
        if isinstance(text, SourceText):
            self._left -= len(text.text)
            if self._left < 0:
                size = f"{LARGEST_PROGRAM // 1024 // 1024} MiB"
                text = Unread(names.MISSING_IMPORT, f"what is imported is larger than {size} in all")
        if isinstance(text, Unread):
            self._tell_missing(statement, text.message)
        self._texts[real] = text if isinstance(text, SourceText) else None
        return self._texts[real]

    def _tell_refusal(self, statement: ImportDecl, path: str, refusal: Refusal) -> None:
        code = names.IMPORT_OUTSIDE if refusal.outside else names.MISSING_IMPORT
        help_line = ""
        fixes: tuple[Fix, ...] = ()
        directory = directory_of(statement.span.source.path)
        if refusal.outside:
            help_line = "a program imports what lies in its own directory, named relative to the importing file"
        elif self._reader.is_directory(plain_path(f"{directory}/{path}")):
            help_line = f"name one file in it; `meshc check {self._root}` reads every `{SUFFIX}` file below a directory"
        elif path == statement.path.text:
            help_line, fixes = self._meant(statement, directory)
        message = f"`{path}` {refusal.reason}"
        self._findings.add(code, message, statement.path.span, help=help_line, fixes=fixes)

    def _meant(self, statement: ImportDecl, directory: str) -> tuple[str, tuple[Fix, ...]]:
        """Return the names near to that of a file that is not there, of those in its directory that fit the import."""
        written = statement.path
        folder, _, last = written.text.rpartition("/")
        beside = self._reader.list_directory(plain_path(f"{directory}/{folder}"))
        if isinstance(beside, Refusal):
            return "", ()
        end = last[last.rfind(".") :] if "." in last else "" if statement.kind is not None else SUFFIX
        # The name is the end of the text in quotes; where an escape is in that, it is told and not mended.
        span = written.span.at(written.span.end - 1 - len(last), written.span.end - 1)
        near, fixes = did_you_mean(last, [name for name in beside if name.endswith(end)], span)
        return near, fixes if span.text == last else ()

    def _tell_missing(self, statement: ImportDecl, message: str) -> None:
        self._findings.add(names.MISSING_IMPORT, message, statement.path.span)

    def _tell_empty(self, statement: ImportDecl, message: str) -> None:
        self._findings.add(names.EMPTY_IMPORT, message, statement.path.span)
